"""The kernels of a run: of this very Python, apart from the user's IPython profile, forked from one warm process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

from custvalue.forking import Nursery, kernel_environment

__all__ = ["kernel_class"]


class _Provisioner(LocalProvisioner):
    """Has a kernel forked; starts it as usual where that is impossible."""

    nursery: Nursery

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        argv = cmd[cmd.index("-m") + 1 :]
        process = self.nursery.fork(argv, options["env"], str(options.get("cwd") or os.getcwd()))
        if process is None:
            return await super().launch_kernel(cmd, **options)
        self.process, self.pid, self.pgid = process, process.pid, process.pid
        self.cwd = options.get("cwd", "")
        return self.connection_info


class _Kernel(AsyncKernelManager):
    """A kernel with its files in a folder of its own."""

    home: Path
    further: Mapping[str, str]
    warm: Nursery | None
    started: Any

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())

    async def start_kernel(self, **options: Any) -> None:
        self.connection_file = str(self.home / "connection.json")
        if self.has_trait("transport_encryption") and zmq.has("curve"):
            self.transport_encryption = "auto"  # other users of the machine can not read along
        if self.warm is not None:
            own = {"kernel_id": self.kernel_id, "kernel_spec": self.kernel_spec, "parent": self}
            self.provisioner = _Provisioner(**own)
            self.provisioner.nursery = self.warm
        environment = kernel_environment() | {"IPYTHONDIR": str(self.home)} | dict(self.further)
        await super().start_kernel(**options | {"env": environment})
        self.started(self)


def kernel_class(home: Path, further: Mapping[str, str], warm: Nursery | None, started: Any) -> type[_Kernel]:
    """A kernel manager for one notebook: its files in ``home``, ``further`` variables, ``started`` called with it."""
    return type("_RunKernel", (_Kernel,), {"home": home, "further": further, "warm": warm, "started": started})
