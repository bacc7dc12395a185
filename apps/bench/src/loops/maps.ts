/**
 * Elementwise functions, those along rows, and their gradients, each as a loop after its formula. Sums are
 * taken in double precision, which is what numbers in JavaScript are.
 */
import { LAYER_NORM_EPSILON, type MapName } from '../tasks.ts';

/** x, and the further operands of the map, with the gradient of the result. rows·columns is the size of x. */
interface MapArguments {
  readonly operands: readonly Float32Array[];
  /** Where a result of the size of x goes. */
  readonly y: Float32Array;
  readonly upstream: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

type Loop = (given: MapArguments) => readonly Float32Array[];

/** √(2/π) and the cubic's factor in gelu's approximation (Hendrycks & Gimpel 2016). */
const SCALE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

export function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(SCALE * (x + CUBIC * x * x * x)));
}

/** d gelu/dx = (1 + t)/2 + x·(1 − t²)·u′/2 with t = tanh(u). */
export function geluSlope(x: number): number {
  const t = Math.tanh(SCALE * (x + CUBIC * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SCALE * (1 + 3 * CUBIC * x * x);
}

/** Each row of x becomes exp(x − max)/Σ. */
export function softmaxRows(
  x: Float32Array,
  rows: number,
  columns: number,
  y: Float32Array = new Float32Array(x.length),
): Float32Array {
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let max = -Infinity;
    for (let j = 0; j < columns; j++) max = Math.max(max, x[start + j]!);
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += y[start + j] = Math.exp(x[start + j]! - max);
    for (let j = 0; j < columns; j++) y[start + j]! /= sum;
  }
  return y;
}

/** dx = y·(g − Σ g·y), from the softmax y. */
export function softmaxGradient(
  y: Float32Array,
  g: Float32Array,
  rows: number,
  columns: number,
  dx: Float32Array = new Float32Array(y.length),
): Float32Array {
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let dot = 0;
    for (let j = 0; j < columns; j++) dot += g[start + j]! * y[start + j]!;
    for (let j = 0; j < columns; j++) dx[start + j] = y[start + j]! * (g[start + j]! - dot);
  }
  return dx;
}

/** Mean and 1/√(variance + ε) of a row. */
function moments(x: Float32Array, start: number, columns: number): readonly [mean: number, scale: number] {
  let sum = 0;
  for (let j = 0; j < columns; j++) sum += x[start + j]!;
  const mean = sum / columns;
  let squares = 0;
  for (let j = 0; j < columns; j++) squares += (x[start + j]! - mean) ** 2;
  return [mean, 1 / Math.sqrt(squares / columns + LAYER_NORM_EPSILON)];
}

/** y = x̂·w + b with x̂ = (x − mean)/√(variance + ε), by rows. */
export function layerNormRows(
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  rows: number,
  y: Float32Array = new Float32Array(x.length),
): Float32Array {
  const columns = weight.length;
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const [mean, scale] = moments(x, start, columns);
    for (let j = 0; j < columns; j++) y[start + j] = (x[start + j]! - mean) * scale * weight[j]! + bias[j]!;
  }
  return y;
}

/** With h = g·w: dx = (h − mean(h) − x̂·mean(h·x̂))/√(variance + ε), dw = Σ g·x̂, db = Σ g over the rows. */
export function layerNormGradient(
  x: Float32Array,
  weight: Float32Array,
  g: Float32Array,
  rows: number,
  dx: Float32Array = new Float32Array(x.length),
): [Float32Array, Float32Array, Float32Array] {
  const columns = weight.length;
  const dWeight = new Float64Array(columns);
  const dBias = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const [mean, scale] = moments(x, start, columns);
    let sum = 0;
    let dot = 0;
    for (let j = 0; j < columns; j++) {
      const normal = (x[start + j]! - mean) * scale;
      const h = g[start + j]! * weight[j]!;
      sum += h;
      dot += h * normal;
      dWeight[j]! += g[start + j]! * normal;
      dBias[j]! += g[start + j]!;
    }
    for (let j = 0; j < columns; j++) {
      const normal = (x[start + j]! - mean) * scale;
      dx[start + j] = scale * (g[start + j]! * weight[j]! - sum / columns - (normal * dot) / columns);
    }
  }
  return [dx, Float32Array.from(dWeight), Float32Array.from(dBias)];
}

export const MAPS: { readonly [K in MapName]: Loop } = {
  add: ({ operands: [a, b], y }) => {
    for (let i = 0; i < y.length; i++) y[i] = a![i]! + b![i]!;
    return [y];
  },
  exp: ({ operands: [x], y }) => {
    for (let i = 0; i < y.length; i++) y[i] = Math.exp(x![i]!);
    return [y];
  },
  gelu: ({ operands: [x], y }) => {
    for (let i = 0; i < y.length; i++) y[i] = gelu(x![i]!);
    return [y];
  },
  softmax: ({ operands: [x], y, rows, columns }) => [softmaxRows(x!, rows, columns, y)],
  layerNorm: ({ operands: [x, weight, bias], y, rows }) => [layerNormRows(x!, weight!, bias!, rows, y)],
  sum: ({ operands: [x] }) => {
    let sum = 0;
    for (let i = 0; i < x!.length; i++) sum += x![i]!;
    return [Float32Array.of(sum)];
  },
};

/** Each gives the gradients of the operands; `add` that of its second alone. */
export const GRADIENTS: { readonly [K in MapName]: Loop } = {
  add: ({ upstream: g, rows, columns }) => {
    const sums = new Float64Array(columns);
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) sums[j]! += g[i * columns + j]!;
    return [Float32Array.from(sums)];
  },
  exp: ({ operands: [x], upstream: g, y }) => {
    for (let i = 0; i < y.length; i++) y[i] = g[i]! * Math.exp(x![i]!);
    return [y];
  },
  gelu: ({ operands: [x], upstream: g, y }) => {
    for (let i = 0; i < y.length; i++) y[i] = g[i]! * geluSlope(x![i]!);
    return [y];
  },
  softmax: ({ operands: [x], upstream: g, y, rows, columns }) => [
    softmaxGradient(softmaxRows(x!, rows, columns), g, rows, columns, y),
  ],
  layerNorm: ({ operands: [x, weight], upstream: g, y, rows }) => layerNormGradient(x!, weight!, g, rows, y),
  sum: ({ upstream: g, y }) => [y.fill(g[0]!)],
};
