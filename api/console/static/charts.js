// Draws the board's charts, and draws them anew every minute.
"use strict";
(() => {
  const place = document.querySelector("[data-charts]");
  if (!place) return;
  const words = place.dataset;
  const charts = {};

  const format = new Intl.DateTimeFormat(`${document.documentElement.lang}-CA`, {
    timeZone: words.zone, hour: "numeric", minute: "2-digit", hourCycle: "h23",
  });
  const numbers = new Intl.NumberFormat(`${document.documentElement.lang}-CA`);
  const figures = (_, values) => values.map((one) => (one === null ? "" : numbers.format(one)));
  const hours = (_, moments) => moments.map((one) => format.format(new Date(one * 1000)).replace(/(h)\s00$/, "$1"));

  const draw = (id, series, data, [least, most] = [0, null]) => {
    const where = document.getElementById(id);
    if (charts[id]) { charts[id].setData(data); return; }
    charts[id] = new uPlot({
      width: Math.max(240, where.clientWidth), height: 190,
      series: [{}, ...series],
      axes: [{ stroke: "#4a5a66", values: hours, space: 60 }, { stroke: "#4a5a66", size: 44, values: figures }],
      legend: { live: false },
      scales: { y: { range: (_, low, high) => [least, most || Math.max(1, high * 1.1)] } },
    }, data, where);
  };

  const renew = async () => {
    const answer = await fetch(words.charts, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const today = await answer.json();
    const bars = uPlot.paths.bars({ size: [0.8] });
    draw("chart-calls", [
      { label: words.calls, stroke: "#0b4f7d", fill: "#9cc3e0", paths: bars },
      { label: words.lost, stroke: "#9b1c1c", fill: "#e5a3a3", paths: bars },
    ], [today.at, today.calls, today.lost]);
    draw("chart-waits", [{ label: words.waits, stroke: "#7a4300", width: 2, spanGaps: true }], [today.at, today.wait_s]);
    place.querySelector("[data-empty]").hidden = today.mos.length > 0;
    if (today.mos.length) draw("chart-mos", [{ label: words.mos, stroke: "#14643b", fill: "#14643b", paths: () => null, points: { show: true, size: 6 } }], [today.mos_at, today.mos], [1, 4.6]);
  };
  const again = () => { renew().catch(() => {}); };
  addEventListener("resize", () => {
    for (const [id, chart] of Object.entries(charts))
      chart.setSize({ width: Math.max(240, document.getElementById(id).clientWidth), height: 190 });
  });
  again();
  setInterval(again, 60000);
})();
