// Says how far off an instant is, by the visitor's own clock. Without this script the instant itself stands there.
(() => {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });

  const tell = () => {
    for (const note of document.querySelectorAll("[data-counted]")) {
      const seconds = (Date.parse(note.dataset.counted) - Date.now()) / 1000;
      const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= 2 * size) || units.at(-1);
      const text = words.format(Math.trunc(seconds / size), unit);
      if (note.textContent !== text) note.textContent = text;
    }
  };

  tell();
  setInterval(tell, 1000);
  document.addEventListener("htmx:afterSwap", tell);
})();
