/** The loss curve, drawn by uPlot: the loss of each step, pale, and its running mean. It is drawn at most once a frame, in the style sheet's colours. */
import uPlot from 'uplot';
import type { Curve } from './curve.ts';
import { element } from './dom.ts';

const HEIGHT = 260;

/** A colour of the style sheet, as it is now: light and dark differ. */
const color = (name: string) => (): string => getComputedStyle(document.documentElement).getPropertyValue(name);

export class Chart {
  readonly #home: HTMLDivElement = element('chart', HTMLDivElement);
  readonly #logarithmic: HTMLInputElement = element('logarithmic', HTMLInputElement);
  #curve: Curve | null = null;
  #steps = 1;
  #plot: uPlot;
  #isDue = false;

  constructor() {
    this.#plot = this.#create();
    this.#logarithmic.addEventListener('change', () => {
      this.#plot.destroy();
      this.#plot = this.#create();
    });
    new ResizeObserver(() => this.#plot.setSize({ width: this.#home.clientWidth, height: HEIGHT })).observe(this.#home);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plot.redraw());
  }

  /** Begins a curve. @param steps that the training will take */
  begin(curve: Curve, steps: number): void {
    this.#curve = curve;
    this.#steps = steps;
    this.update();
  }

  /** Shows the curve as it is by the next frame. */
  update(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#plot.setData(this.#data());
      const mean = this.#curve?.mean ?? null;
      if (mean !== null) this.#home.ariaLabel = `Training loss by step, now at ${mean.toFixed(3)}`;
    });
  }

  #data(): uPlot.AlignedData {
    return this.#curve?.columns ?? [[], [], []];
  }

  #create(): uPlot {
    const axis: uPlot.Axis = {
      stroke: color('--muted'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { stroke: color('--line'), width: 1, size: 4 },
      font: '12px system-ui, sans-serif',
    };
    return new uPlot(
      {
        width: this.#home.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { time: false, range: () => [0, this.#steps] },
          y: this.#logarithmic.checked ? { distr: 3 } : { range: (_, __, highest) => [0, Math.max(highest ?? 0, 0.1) * 1.05] },
        },
        axes: [axis, { ...axis, size: 48 }],
        series: [
          { label: 'step' },
          {
            label: 'each step',
            stroke: color('--curve-pale'),
            width: 1,
            points: { show: false },
            value: (_, loss) => loss?.toFixed(4) ?? '–',
          },
          {
            label: 'running mean',
            stroke: color('--curve'),
            width: 2,
            points: { show: false },
            value: (_, loss) => loss?.toFixed(4) ?? '–',
          },
        ],
      },
      this.#data(),
      this.#home,
    );
  }
}
