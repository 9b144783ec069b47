// Tells the browser which pages it may fetch and draw, unseen, when somebody is about to click their link; one that is short
// of memory only fetches. The admin is named by its usual path: another one is not told here, and no page of ours leads to it.
// The policy knows what stands between the accents by its hash (`config/policies.py`).
{
  const textContent = String.raw`{
    "prefetch": [{ "source": "document", "eagerness": "moderate", "where": { "and": [
      { "href_matches": "/*" },
      { "not": { "href_matches": ["/admin/*", "/api/*", "/static/*", "/*\\?(.+)", "/*.json", "/*.csv", "/*.png"] } }
    ] } }],
    "prerender": [{ "source": "document", "eagerness": "moderate", "where": { "and": [
      { "href_matches": "/*" },
      { "not": { "href_matches": ["/admin/*", "/api/*", "/static/*", "/*\\?(.+)", "/*.json", "/*.csv", "/*.png"] } }
    ] } }]
  }`;
  document.head.append(Object.assign(document.createElement("script"), { type: "speculationrules", textContent }));
}
