// Lays out and fetches what the first picture did without, when it has been painted. It stands within the page; scripts run in order.
// A tenth of a second is what a slow phone takes to paint a frame; not every browser tells when it has.
// Whoever goes back before htmx is here, which answers then, gets the whole page anew.
// A form that stands in a `noscript` is taken out of it when its style sheet is here, which may be after htmx: a page with a
// control in it Chromium lays out before it calls it loaded.
{
  const names = document.currentScript.dataset.late.match(/\S+/g);
  const bring = () => {
    for (const kept of document.querySelectorAll(".later > noscript")) {
      const place = kept.parentElement;
      kept.outerHTML = kept.textContent;
      window.htmx?.process(place);
    }
  };
  const made = (name) =>
    name.endsWith(".css")
      ? Object.assign(document.createElement("link"), { rel: "stylesheet", href: name, onload: bring, onerror: bring })
      : Object.assign(document.createElement("script"), { src: name, async: false });
  const begin = () => {
    document.documentElement.classList.add("is-painted");
    document.head.append(...names.map(made));
  };
  onpopstate = ({ state }) => state?.htmx && location.reload();
  addEventListener("load", () => {
    if (document.prerendering) document.body.offsetHeight;
    requestAnimationFrame(() => setTimeout(begin, 100));
  });
}
