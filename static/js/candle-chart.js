// Draws candles and everybody's trades over their still picture, from the JSON beside it.
(() => {
  const plot = document.querySelector("[data-candles]");
  if (!plot || !window.LightweightCharts) return;

  const { createChart, createSeriesMarkers, CandlestickSeries, CrosshairMode } = window.LightweightCharts;
  const data = JSON.parse(document.getElementById(plot.dataset.candles).textContent);
  const canvas = document.createElement("div");
  canvas.className = "chart-canvas";
  plot.append(canvas);

  // A variable may hold light-dark(): only a used colour says which of the two it is.
  const colour = (name) => {
    canvas.style.color = `var(--${name})`;
    return getComputedStyle(canvas).color;
  };
  const look = () => ({
    layout: {
      background: { color: "transparent" },
      textColor: colour("quiet"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      attributionLogo: false,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: colour("hair") } },
    rightPriceScale: { borderVisible: false, entireTextOnly: true },
    // Room on the right, or the words at the newest trades are cut off.
    timeScale: { borderColor: colour("hair"), timeVisible: true, rightOffsetPixels: 36, lockVisibleTimeRangeOnResize: true },
  });
  // Hollow when it rose, filled when it fell: the shape says it without the colour.
  const strokes = () => ({
    upColor: "transparent",
    borderUpColor: colour("up"),
    wickUpColor: colour("up"),
    downColor: colour("down"),
    borderDownColor: colour("down"),
    wickDownColor: colour("down"),
    priceLineVisible: false,
  });
  // On a phone the words at the arrows would lie over each other: the table below has them.
  const isNarrow = matchMedia("(width < 48rem)");
  const marks = () =>
    data.marks.map(({ second, side, text }) => ({
      time: second,
      text: isNarrow.matches ? "" : text,
      position: side === "buy" ? "belowBar" : "aboveBar",
      shape: side === "buy" ? "arrowUp" : "arrowDown",
      color: colour(side === "buy" ? "up" : "down"),
    }));

  const chart = createChart(canvas, {
    ...look(),
    autoSize: true,
    crosshair: { mode: CrosshairMode.Magnet },
    localization: { locale: "en-GB" },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  const lowest = Math.min(...data.bars.map((bar) => Number(bar[2])));
  const precision = lowest >= 100 ? 2 : Math.max(2, 5 - Math.floor(Math.log10(lowest)));
  const series = chart.addSeries(CandlestickSeries, {
    ...strokes(),
    priceFormat: { type: "price", precision, minMove: 10 ** -precision },
  });
  // Room on the left too, or the words at the oldest trades are cut off: instants without a candle.
  const [first, second] = data.seconds;
  const before = second ? [3, 2, 1].map((bars) => ({ time: first - bars * (second - first) })) : [];
  series.setData(
    before.concat(data.bars.map(([open, high, low, close], index) => ({
      time: data.seconds[index],
      open: Number(open),
      high: Number(high),
      low: Number(low),
      close: Number(close),
    }))),
  );
  const drawn = createSeriesMarkers(series, marks());
  chart.timeScale().fitContent();
  plot.classList.add("is-drawn");

  isNarrow.addEventListener("change", () => drawn.setMarkers(marks()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    chart.applyOptions(look());
    series.applyOptions(strokes());
    drawn.setMarkers(marks());
  });
})();
