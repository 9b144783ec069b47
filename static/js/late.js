// Fetches the scripts that a page can be read without, when all else is here and has been painted. They run in order.
(() => {
  const names = document.currentScript.dataset.late.split(" ");
  const begin = () => {
    for (const name of names) {
      const script = document.createElement("script");
      script.async = false;
      script.src = name;
      document.head.append(script);
    }
  };
  const painted = () => requestAnimationFrame(() => setTimeout(begin));
  if (document.readyState === "complete") painted();
  else addEventListener("load", painted);
})();
