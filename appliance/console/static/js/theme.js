// Before anything is painted: dark for the van unless this browser was set to light for the street.
try {
  const kept = localStorage.getItem("lfr-theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
} catch {
  document.documentElement.dataset.theme = "dark"; // storage is forbidden here: nothing is remembered
}
