// From strokes to an image: as large as the digits of MNIST and where they are, wherever and however large
// they are drawn, with a pen of one width.
import { describe, expect, test } from 'vitest';
import { type Point, rasterize, type Stroke } from '../src/strokes.ts';

const SIDE = 28;

/** Rows and columns that have ink, and where its centre is. */
function measure(image: Uint8Array): {
  rows: [number, number];
  columns: [number, number];
  center: [number, number];
  mass: number;
} {
  const inked = [...image.entries()].filter(([, byte]) => byte >= 128).map(([pixel]) => pixel);
  const range = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  let [mass, x, y] = [0, 0, 0];
  for (const [pixel, byte] of image.entries()) {
    mass += byte;
    x += byte * (pixel % SIDE);
    y += byte * Math.floor(pixel / SIDE);
  }
  return {
    rows: range(inked.map((pixel) => Math.floor(pixel / SIDE))),
    columns: range(inked.map((pixel) => pixel % SIDE)),
    center: [x / mass, y / mass],
    mass: mass / 255,
  };
}

const line = (from: Point, to: Point): Stroke => [from, to];
const circle = ({ x, y }: Point, radius: number): Stroke =>
  Array.from({ length: 60 }, (_, i) => ({
    x: x + radius * Math.cos((i / 59) * 2 * Math.PI),
    y: y + radius * Math.sin((i / 59) * 2 * Math.PI),
  }));

test('nothing is no image', () => {
  expect(rasterize([])).toBeNull();
});

test('an upright line fills the box of 20 pixels in height, in the middle, some three pixels wide', () => {
  const { rows, columns, center } = measure(rasterize([line({ x: 0.2, y: 0.1 }, { x: 0.2, y: 0.6 })])!);
  expect(rows[1] - rows[0] + 1).toBe(20);
  expect(columns[1] - columns[0] + 1).toBeLessThanOrEqual(3);
  expect(center).toEqual([expect.closeTo(13.5, 1), expect.closeTo(13.5, 1)]);
});

describe('a circle', () => {
  const image = rasterize([circle({ x: 0.5, y: 0.5 }, 0.3)])!;

  test('has the ink of its line: 2πr · the pen, and none in the middle', () => {
    expect(measure(image).mass).toBeCloseTo(2 * Math.PI * 8.9 * 2.2, -1);
    expect(image[14 * SIDE + 14]).toBe(0);
  });

  test('is the same image wherever it is drawn and however large', () => {
    for (const [center, radius] of [
      [{ x: 0.2, y: 0.7 }, 0.15],
      [{ x: 0.6, y: 0.45 }, 0.35],
    ] as const) {
      const other = rasterize([circle(center, radius)])!;
      expect(Math.max(...image.map((byte, pixel) => Math.abs(byte - other[pixel]!)))).toBeLessThanOrEqual(1);
    }
  });
});

test('the centre of mass is in the middle, not the centre of the box', () => {
  const heavyBelow = [
    line({ x: 0.5, y: 0.1 }, { x: 0.5, y: 0.9 }),
    line({ x: 0.3, y: 0.9 }, { x: 0.7, y: 0.9 }),
  ];
  const { rows, center } = measure(rasterize(heavyBelow)!);
  expect(center).toEqual([expect.closeTo(13.5, 1), expect.closeTo(13.5, 1)]);
  expect(rows[0]).toBeLessThan(SIDE - 1 - rows[1]);
});

test('a dot stays a dot', () => {
  const { mass } = measure(rasterize([[{ x: 0.9, y: 0.9 }]])!);
  expect(mass).toBeGreaterThan(2);
  expect(mass).toBeLessThan(12);
});
