// Lays out and fetches what the first picture did without, when it has been painted. It stands within the page; scripts run in order.
// Whoever goes back before htmx is here, which answers then, gets the whole page anew.
{
  const names = document.currentScript.dataset.late.match(/\S+/g);
  const made = (name) =>
    name.endsWith(".css")
      ? Object.assign(document.createElement("link"), { rel: "stylesheet", href: name })
      : Object.assign(document.createElement("script"), { src: name, async: false });
  const painted = new PerformanceObserver(() => {
    painted.disconnect();
    document.documentElement.classList.add("is-painted");
    document.head.append(...names.map(made));
  });
  onpopstate = ({ state }) => state?.htmx && location.reload();
  addEventListener("load", () => {
    if (document.prerendering) document.body.offsetHeight;
    painted.observe({ type: "paint", buffered: true });
  });
}
