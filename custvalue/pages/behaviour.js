
"use strict";
// Search, sort and unfold long tables, enlarge charts, fold the navigation: a page reads without any of it.
(() => {
  const words = document.body.dataset;
  const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function made(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // The key of a cell: its number where it has one, else its text; a missing value comes last.
  function keyOf(row, place) {
    const cell = row.cells[place];
    const shown = cell.textContent.trim();
    if (shown === "–" || shown === "") return null;
    return cell.dataset.sort === undefined ? shown : Number(cell.dataset.sort);
  }

  function compared(first, second, sign) {
    if (first === null || second === null) return (first === null) - (second === null);
    if (typeof first === "number" && typeof second === "number") return sign * (first - second);
    return sign * String(first).localeCompare(String(second), document.documentElement.lang, { numeric: true });
  }

  function sortable(table, rows, arranged) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const name = head.textContent.trim();
      const button = made("button", { type: "button", className: "cv-sort", ariaLabel: filled(words.sortBy, { name }) });
      const numbers = rows.some((row) => typeof keyOf(row, place) === "number");
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        const down = was ? was === "ascending" : numbers;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = rows.map((row) => [keyOf(row, place), row]);
        keyed.sort((a, b) => compared(a[0], b[0], down ? -1 : 1));
        rows.splice(0, rows.length, ...keyed.map((pair) => pair[1]));
        arranged();
      });
      head.append(" ", button);
    });
  }

  function listed(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const few = rows.filter((row) => !row.hidden).length;
    const box = table.closest(".cv-scroll") || table;
    const note = box.nextElementSibling && box.nextElementSibling.matches(".cv-rows") ? box.nextElementSibling : null;
    const said = note ? note.textContent : "";
    const found = made("span", { className: "cv-found", role: "status" });
    const field = made("input", { type: "search", autocomplete: "off" });
    const more = made("button", { type: "button", className: "cv-more" });
    let open = false;

    function arranged() {
      const wanted = field.value.trim().toLowerCase();
      const fitting = rows.filter((row) => row.textContent.toLowerCase().includes(wanted));
      const seen = new Set(wanted || open ? fitting : fitting.slice(0, few));
      rows.forEach((row) => { row.hidden = !seen.has(row); });
      body.append(...rows);
      found.textContent = wanted ? filled(words.found, { n: fitting.length, all: rows.length }) : "";
      more.hidden = Boolean(wanted) || rows.length === few;
      more.textContent = open ? words.showFewer : filled(words.showMore, { n: rows.length - few });
      more.setAttribute("aria-expanded", open);
      if (!note) return;
      note.textContent = open && note.dataset.rest !== undefined ? note.dataset.rest : said;
      note.hidden = note.dataset.rest === "";
    }

    if (rows.length > 12) {
      const label = made("label", {}, words.filter + " ", field);
      box.before(made("div", { className: "cv-tools" }, label, found));
      field.addEventListener("input", arranged);
    }
    if (rows.length > few) {
      box.after(more);
      more.addEventListener("click", () => { open = !open; arranged(); });
    }
    if (table.matches(".cv-list") && table.tHead) sortable(table, rows, arranged);
    arranged();
  }

  function enlargeable(picture) {
    const box = made("div", { className: "cv-chart" });
    const button = made("button", { type: "button", className: "cv-enlarge", textContent: words.enlarge });
    picture.replaceWith(box);
    box.append(made("div", { className: "cv-pan" }, picture), button);
    button.addEventListener("click", () => {
      const large = box.classList.toggle("cv-large");
      button.textContent = large ? words.reduce : words.enlarge;
    });
  }

  function foldable(navigation) {
    const button = made("button", { type: "button", className: "cv-menu", textContent: words.menu });
    button.setAttribute("aria-controls", navigation.id);
    button.setAttribute("aria-expanded", "false");
    navigation.before(button);
    button.addEventListener("click", () => {
      button.setAttribute("aria-expanded", navigation.classList.toggle("cv-open"));
    });
  }

  // On paper everything is unfolded; afterwards it is as it was.
  function printable() {
    let folded = [];
    addEventListener("beforeprint", () => {
      folded = [...document.querySelectorAll("details:not([open])")];
      folded.forEach((box) => { box.open = true; });
    });
    addEventListener("afterprint", () => { folded.forEach((box) => { box.open = false; }); });
  }

  document.body.classList.add("cv-js");
  printable();
  document.querySelectorAll("table.cv-list").forEach(listed);
  document.querySelectorAll("main img").forEach(enlargeable);
  document.querySelectorAll(".cv-nav").forEach(foldable);
})();
