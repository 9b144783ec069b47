// Fetches all other scripts when the page is here and has been painted. It stands within the page; they run in order.
{
  const names = document.currentScript.dataset.late.match(/\S+/g);
  const begin = () => {
    for (const src of names) document.head.append(Object.assign(document.createElement("script"), { src, async: false }));
  };
  addEventListener("load", () => requestAnimationFrame(() => setTimeout(begin)));
}
