// Draws the equity chart over its still picture, from the JSON beside it or at an address, when somebody comes near it.
// Until then, the picture stays.
(() => {
  const plot = document.querySelector("[data-chart]");
  if (!plot) return;

  const LABEL_HALF = 24; // pixels of a year, and what the axis of values takes from them on a phone

  const figures = async () => {
    if (!plot.dataset.figures) return JSON.parse(document.getElementById(plot.dataset.chart).textContent);
    const answer = await fetch(plot.dataset.figures);
    if (!answer.ok) throw new Error(`${plot.dataset.figures} answered ${answer.status}`);
    return answer.json();
  };
  const near = new IntersectionObserver(
    (seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      near.disconnect();
      figures().then((data) => data.seconds.length < 2 || draw(data));
    },
    { rootMargin: "50%" },
  );
  near.observe(plot);

  function draw(data) {
    const { createChart, LineSeries, LineStyle, CrosshairMode } = window.LightweightCharts;

    const legend = document.getElementById("chart-legend");
    const strokes = {
      model: { lineWidth: 2, lineStyle: LineStyle.Solid },
      baseline: { lineWidth: 1, lineStyle: LineStyle.Dashed },
      benchmark: { lineWidth: 3, lineStyle: LineStyle.Dashed },
      equal: { lineWidth: 2, lineStyle: LineStyle.Dotted },
    };

    const canvas = document.createElement("div");
    canvas.className = "chart-canvas";
    plot.append(canvas);

    // A variable may hold light-dark(): only a used colour says which of the two it is.
    const colour = (name) => {
      canvas.style.color = `var(--${name})`;
      return getComputedStyle(canvas).color;
    };
    const faded = (used) => used.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");
    const look = () => ({
      layout: {
        background: { color: "transparent" },
        textColor: colour("quiet"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        attributionLogo: false,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("hair") } },
      rightPriceScale: { borderVisible: false, entireTextOnly: true },
      timeScale: { borderColor: colour("hair"), lockVisibleTimeRangeOnResize: true },
    });
    const strokeColour = (line) => colour(line.hue === 0 ? "ink" : `hue-${line.hue}`);

    const chart = createChart(canvas, {
      ...look(),
      autoSize: true,
      crosshair: { mode: CrosshairMode.Magnet, horzLine: { visible: false, labelVisible: false } },
      localization: { locale: "en-GB", priceFormatter: (value) => value.toFixed(1) },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
    });

    const lines = data.lines.map((line) => {
      const series = chart.addSeries(LineSeries, {
        ...strokes[line.tone],
        color: strokeColour(line),
        lastValueVisible: false,
        priceLineVisible: false,
        crosshairMarkerVisible: line.tone !== "baseline",
        crosshairMarkerRadius: 3,
      });
      series.setData(
        data.seconds.map((time, index) => {
          const value = line.values[index];
          return value === null ? { time } : { time, value: Number(value) };
        }),
      );
      const item = legend.querySelector(`[data-slug="${CSS.escape(line.slug)}"]`);
      const output = item.querySelector("output");
      return { ...line, series, item, output, last: output.textContent };
    });
    lines[0].series.createPriceLine({ price: 100, color: colour("quiet"), lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: false });
    // Half a year's label beyond both ends, or the first and the last of them are cut where the axis ends.
    const beyond = (LABEL_HALF * data.seconds.length) / (plot.clientWidth - 2 * LABEL_HALF);
    chart.timeScale().setVisibleLogicalRange({ from: -beyond, to: data.seconds.length - 1 + beyond });
    plot.classList.add("is-drawn");

    // The legend reads the values under the pointer, and the last ones otherwise.
    chart.subscribeCrosshairMove((event) => {
      for (const line of lines) {
        const point = event.seriesData.get(line.series);
        line.output.textContent = event.time === undefined ? line.last : (point?.value?.toFixed(1) ?? "–");
      }
    });

    const track = (tracked) => {
      legend.classList.toggle("is-tracking", Boolean(tracked));
      for (const line of lines) {
        const own = strokeColour(line);
        line.item.classList.toggle("is-tracked", line === tracked);
        line.series.applyOptions({ color: !tracked || line === tracked ? own : faded(own) });
      }
    };
    for (const line of lines) {
      line.item.addEventListener("pointerenter", () => track(line));
      line.item.addEventListener("pointerleave", () => track(null));
      line.item.addEventListener("focusin", () => track(line));
      line.item.addEventListener("focusout", () => track(null));
    }

    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      chart.applyOptions(look());
      track(null);
    });
  }
})();
