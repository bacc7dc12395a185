/**
 * A chart of a training's loss in a page, drawn by uPlot: the loss of each step, pale, and its running mean.
 * It is drawn at most once a frame, in the colours of the style sheet (`--line`, `--muted`, `--curve`,
 * `--curve-pale`). The page passes uPlot in, so that only a page with a chart installs it.
 */
import type uPlot from 'uplot';
import type { Curve } from './curve.ts';

const HEIGHT = 250;
/** What the axes show before there is a loss: an untrained network's is ln 10. */
const EMPTY = { steps: 1000, loss: 2.5 } as const;

/** The elements of the page that belong to a chart. */
export interface LossChartElements {
  /** holds the plot; its width is the plot's */
  readonly home: HTMLElement;
  /** shown as long as there is no curve */
  readonly hint: HTMLElement;
  /** a check box: whether the loss axis is logarithmic */
  readonly logarithmic: HTMLInputElement;
}

export class LossChart {
  readonly #library: typeof uPlot;
  readonly #home: HTMLElement;
  readonly #hint: HTMLElement;
  readonly #logarithmic: HTMLInputElement;
  #curve: Curve | null = null;
  #steps: number = EMPTY.steps;
  #plot: uPlot;
  #isDue = false;

  constructor(library: typeof uPlot, { home, hint, logarithmic }: LossChartElements) {
    this.#library = library;
    this.#home = home;
    this.#hint = hint;
    this.#logarithmic = logarithmic;
    this.#plot = this.#create();
    this.#logarithmic.addEventListener('change', () => this.#renew());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#renew());
    new ResizeObserver(() => this.#plot.setSize({ width: this.#home.clientWidth, height: HEIGHT })).observe(
      this.#home,
    );
  }

  /** Shows no curve. */
  clear(): void {
    this.#curve = null;
    this.#steps = EMPTY.steps;
    this.#hint.hidden = false;
    this.#home.ariaLabel = 'Training loss by step: nothing yet';
    this.update();
  }

  /** Begins a curve. @param steps that the training will take */
  begin(curve: Curve, steps: number): void {
    this.#curve = curve;
    this.#steps = steps;
    this.#hint.hidden = true;
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

  /** Draws all of it anew, on another canvas. */
  #renew(): void {
    this.#plot.destroy();
    this.#plot = this.#create();
  }

  #data(): uPlot.AlignedData {
    return this.#curve?.columns ?? [[], [], []];
  }

  #create(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const line = style.getPropertyValue('--line');
    const axis: uPlot.Axis = {
      stroke: style.getPropertyValue('--muted'),
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 4 },
      font: '12px system-ui, sans-serif',
    };
    const [pale, strong] = [style.getPropertyValue('--curve-pale'), style.getPropertyValue('--curve')];
    const curve = (label: string, stroke: string, width: number): uPlot.Series => ({
      label,
      stroke,
      width,
      points: { show: false },
      value: (_, loss) => loss?.toFixed(4) ?? '',
    });
    const linear: uPlot.Scale = { range: (_, __, highest) => [0, 1.05 * (highest ?? EMPTY.loss)] };
    const options: uPlot.Options = {
      width: this.#home.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false } },
      legend: { markers: { width: 0, fill: (_, index) => ['', pale, strong][index]! } },
      scales: {
        x: { time: false, range: () => [0, this.#steps] },
        y: this.#logarithmic.checked ? { distr: 3 } : linear,
      },
      axes: [
        { ...axis, size: 30 },
        { ...axis, size: 48 },
      ],
      series: [
        { label: 'step', value: (_, step) => step ?? '' },
        curve('loss', pale, 1),
        curve('running mean', strong, 2),
      ],
    };
    const plot = new this.#library(options, this.#data(), this.#home);
    // Browsers keep large canvases on the GPU, which may be lost.
    plot.ctx.canvas.addEventListener('contextrestored', () => this.#renew());
    return plot;
  }
}
