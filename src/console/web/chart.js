/* SPDX-License-Identifier: ISC */
/*
 * chart.js: bars over time, and the period before as a line, drawn by uPlot.
 *
 *	points: [{ label: below the axis, title: of the tooltip, value, before, lines: what else the tooltip says }]
 *	onPick(first, last): indexes of the points that were dragged over
 *
 * Values are numbers here, for the height of a bar alone; what the tooltip says is text. Whoever cannot see the chart
 * has the same as a table beside it.
 */
import { html, useEffect, useRef, useState } from './html.js';
import { useStore } from './store.js';
import { theme } from './theme.js';
import uPlot from './uplot.js';

const HEIGHT = 260;
const LABEL_WIDTH = 72;

const color = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function axes(points, formatValue, width) {
  const grid = { stroke: color('line'), width: 1 };
  const font = '12px system-ui, sans-serif';
  const step = Math.max(1, Math.ceil(points.length * LABEL_WIDTH / width));
  const splits = () => points.map((_, n) => n).filter((n) => n % step === 0);

  return [
    { stroke: color('quiet'), font, grid: { show: false }, ticks: { show: false }, splits, values: (_, at) => at.map((n) => points[n]?.label ?? ''), gap: 6, size: 28 },
    { stroke: color('quiet'), font, grid, ticks: { show: false }, values: (_, at) => at.map(formatValue), size: (_, values) => 16 + 7 * Math.max(2, ...(values ?? []).map((text) => text.length)), gap: 6 },
  ];
}

function optionsOf(points, { formatValue, onPick, onHover, width }) {
  const highest = Math.max(...points.map(({ value, before }) => Math.max(value, before ?? 0)));

  return {
    width,
    height: HEIGHT,
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: Boolean(onPick), y: false, setScale: false } },
    scales: { x: { time: false, range: [-0.5, points.length - 0.5] }, y: { range: [0, highest > 0 ? highest * 1.08 : 1] } },
    axes: axes(points, formatValue, width),
    series: [
      {},
      { fill: color('accent'), stroke: color('accent'), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 44], radius: 0.1 }) },
      { stroke: color('then'), width: 2, dash: [5, 4], points: { show: false } },
    ],
    hooks: {
      setCursor: [(plot) => onHover(plot.cursor.left >= 0 ? { index: plot.cursor.idx, left: plot.valToPos(plot.cursor.idx, 'x') + plot.bbox.left / devicePixelRatio } : null)],
      setSelect: [(plot) => {
        const { left, width: wide } = plot.select;
        const first = Math.max(0, Math.round(plot.posToVal(left, 'x')));
        const last = Math.min(points.length - 1, Math.round(plot.posToVal(left + wide, 'x')));
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (wide > 4 && last >= first) {
          onPick?.(first, last);
        }
      }],
    },
  };
}

function Tooltip({ point, left, width, beforeLabel, unit }) {
  const tip = useRef(null);

  useEffect(() => {
    const half = tip.current.offsetWidth / 2;

    tip.current.style.left = `${Math.min(Math.max(left, half), width - half)}px`;
  });
  return html`<div class="tip" ref=${tip} aria-hidden="true"><b>${point.title}</b>
    <dl><div><dt><i class="now"></i>${unit}</dt><dd>${point.text}</dd></div>
    ${point.beforeText !== undefined && html`<div><dt><i class="then"></i>${beforeLabel}</dt><dd>${point.beforeText}</dd></div>`}</dl></div>`;
}

/* label: what the chart shows, for who cannot see it; unit and beforeLabel: what the two series are called. */
export function Chart({ points, label, unit, beforeLabel, formatValue, onPick }) {
  const place = useRef(null);
  const [width, setWidth] = useState(0);
  const [hover, setHover] = useState(null);
  const name = useStore(theme);

  useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(Math.floor(contentRect.width)));

    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0 || points.length === 0) {
      return undefined;
    }
    const data = [points.map((_, n) => n), points.map(({ value }) => value), points.map(({ before }) => before ?? null)];
    const plot = new uPlot(optionsOf(points, { formatValue, onPick, onHover: setHover, width }), data, place.current);
    const paper = matchMedia('print'); /* other colours */
    const redraw = () => plot.redraw(false);

    paper.addEventListener('change', redraw);
    return () => {
      paper.removeEventListener('change', redraw);
      plot.destroy();
    };
  }, [points, formatValue, width, name]);
  const point = hover && points[hover.index];
  return html`<div class=${onPick ? 'chart picks' : 'chart'} role="img" aria-label=${label}>
    <div ref=${place}></div>
    ${point && html`<${Tooltip} point=${point} left=${hover.left} width=${width} unit=${unit} beforeLabel=${beforeLabel} />`}
  </div>`;
}
