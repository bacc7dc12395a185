/**
 * The drawing area: records the strokes of the pen as points and draws them at once.
 */
import { element } from '@firsthand/kit/dom';
import type { Point, Stroke } from './strokes.ts';

/** Width of the pen, as a share of the canvas. */
const PEN = 0.075;

export class Pad {
  readonly #canvas: HTMLCanvasElement = element('pad', HTMLCanvasElement);
  readonly #hint: HTMLSpanElement = element('pad-hint', HTMLSpanElement);
  readonly #context: CanvasRenderingContext2D = this.#canvas.getContext('2d')!;
  readonly #onChange: (strokes: readonly Stroke[]) => void;
  #strokes: Point[][] = [];
  /** The pointer that draws; others are not looked at. */
  #pointer: number | null = null;

  /** @param onChange is given all strokes whenever there is more of them */
  constructor(onChange: (strokes: readonly Stroke[]) => void) {
    this.#onChange = onChange;
    const canvas = this.#canvas;
    canvas.addEventListener('pointerdown', (event) => {
      if (this.#pointer !== null || event.button !== 0) return;
      this.#pointer = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.#strokes.push([]);
      this.#extend([event]);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (event.pointerId !== this.#pointer) return;
      const coalesced = event.getCoalescedEvents();
      this.#extend(coalesced.length > 0 ? coalesced : [event]);
    });
    const lift = ({ pointerId }: PointerEvent): void => {
      if (pointerId === this.#pointer) this.#pointer = null;
    };
    // Browsers keep large canvases on the GPU, which may be lost.
    canvas.addEventListener('contextrestored', () => this.#drawAgain());
    canvas.addEventListener('pointerup', lift);
    canvas.addEventListener('pointercancel', lift);
  }

  /** Wipes the drawing away. */
  clear(): void {
    this.#strokes = [];
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#hint.hidden = false;
  }

  #extend(events: readonly PointerEvent[]): void {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const stroke = this.#strokes.at(-1)!;
    for (const { clientX, clientY } of events) {
      const point = { x: (clientX - left) / width, y: (clientY - top) / height };
      this.#line(stroke.at(-1) ?? point, point);
      stroke.push(point);
    }
    this.#hint.hidden = true;
    this.#onChange(this.#strokes);
  }

  #drawAgain(): void {
    for (const stroke of this.#strokes)
      for (const [index, point] of stroke.entries()) this.#line(stroke[index - 1] ?? point, point);
  }

  #line(from: Point, to: Point): void {
    const { width, height } = this.#canvas;
    this.#context.lineWidth = PEN * width;
    this.#context.lineCap = 'round';
    this.#context.beginPath();
    this.#context.moveTo(from.x * width, from.y * height);
    this.#context.lineTo(to.x * width, to.y * height);
    this.#context.stroke();
  }
}
