/**
 * From the strokes of a drawing to an image like those that the network learned from: "size normalized to fit
 * in a 20 × 20 pixel box while preserving their aspect ratio … and centered in a 28 × 28 image by computing
 * the center of mass of the pixels" (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten
 * digits"). Points are scaled, and not pixels, so that the pen is as thick in a small drawing as in a large
 * one: ink at a pixel is 255 · clamp(r + ½ − d), d its distance to the nearest line.
 */

/** A point of the drawing; both coordinates go from 0 to 1, x to the right and y down. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The points that the pen went through, from where it was set down to where it was lifted. */
export type Stroke = readonly Point[];

const SIDE = 28;
const BOX = 20;
/** The pen's radius, in pixels of the image: lines of MNIST are some three pixels wide. */
const RADIUS = 1.1;
/** A drawing smaller than this, such as a dot, is not scaled up to the whole box. */
const SMALLEST = 0.08;

/**
 * The image of a drawing.
 * @returns (28 · 28) bytes: 0 is background, 255 is ink; null if there is no stroke
 */
export function rasterize(strokes: readonly Stroke[]): Uint8Array | null {
  const points = strokes.flat();
  if (points.length === 0) return null;
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right] = bounds(xs);
  const [top, bottom] = bounds(ys);
  const scale = (BOX - 2 * RADIUS) / Math.max(right - left, bottom - top, SMALLEST);
  // Coordinates of a pixel are those of its centre: the image's centre is between pixels 13 and 14.
  const middle = (SIDE - 1) / 2;
  const scaled = strokes.map((stroke) =>
    stroke.map(({ x, y }) => ({
      x: middle + scale * (x - (left + right) / 2),
      y: middle + scale * (y - (top + bottom) / 2),
    })),
  );
  const mass = centerOfMass(ink(scaled));
  const centered = scaled.map((stroke) =>
    stroke.map(({ x, y }) => ({ x: x + middle - mass.x, y: y + middle - mass.y })),
  );
  return Uint8Array.from(ink(centered), (share) => Math.round(255 * share));
}

function bounds(values: readonly number[]): [number, number] {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

/** How much ink each pixel has, from 0 to 1. (28 · 28) */
function ink(strokes: readonly Stroke[]): Float32Array {
  const image = new Float32Array(SIDE * SIDE);
  for (const stroke of strokes) {
    for (const [index, to] of stroke.entries()) inkLine(image, stroke[index - 1] ?? to, to);
  }
  return image;
}

/** Adds one line, which touches only the pixels around it. */
function inkLine(image: Float32Array, from: Point, to: Point): void {
  const reach = RADIUS + 0.5;
  const first = (a: number, b: number): number => Math.max(0, Math.ceil(Math.min(a, b) - reach));
  const last = (a: number, b: number): number => Math.min(SIDE - 1, Math.floor(Math.max(a, b) + reach));
  for (let y = first(from.y, to.y); y <= last(from.y, to.y); y++) {
    for (let x = first(from.x, to.x); x <= last(from.x, to.x); x++) {
      const share = Math.min(1, reach - distance({ x, y }, from, to));
      const pixel = y * SIDE + x;
      if (share > image[pixel]!) image[pixel] = share;
    }
  }
}

/** From a point to the nearest of the line between two others. */
function distance({ x, y }: Point, from: Point, to: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const square = dx * dx + dy * dy;
  const along = square === 0 ? 0 : Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / square));
  return Math.hypot(x - from.x - along * dx, y - from.y - along * dy);
}

function centerOfMass(image: Float32Array): Point {
  let [mass, x, y] = [0, 0, 0];
  for (const [pixel, share] of image.entries()) {
    mass += share;
    x += share * (pixel % SIDE);
    y += share * Math.floor(pixel / SIDE);
  }
  return { x: x / mass, y: y / mass };
}
