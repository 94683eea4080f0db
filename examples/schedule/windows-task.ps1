# Run once in PowerShell; check with: Get-ScheduledTask custvalue
# Monthly triggers are made by schtasks: New-ScheduledTaskTrigger knows none.
$custvalue = "C:\custvalue\.venv\Scripts\custvalue.exe"
$arguments = "report C:\shop\data --out C:\shop\reports --config C:\shop\custvalue.toml --quiet"

schtasks /Create /F /TN "custvalue" /SC MONTHLY /D 2 /ST 06:15 /TR "$custvalue $arguments"
if ($LASTEXITCODE -ne 0) { throw "The task could not be made." }

# A machine that was off then makes up for it; a second start while one runs is left out.
$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew -ExecutionTimeLimit (New-TimeSpan -Hours 2)
Set-ScheduledTask -TaskName "custvalue" -Settings $settings
