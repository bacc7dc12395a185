/**
 * The layers of the two networks in plain loops. Each runs forward at once and gives back its output with a
 * function that, from the gradient of that output, adds to the gradients of the parameters and returns that
 * of the input: a tape made of closures. x·W is always Σ over contiguous rows.
 */
import { ADAM } from '../tasks.ts';
import { gelu, geluSlope, layerNormGradient, layerNormRows, softmaxGradient, softmaxRows } from './maps.ts';

/** A parameter with its gradient and Adam's two running means. */
export class Variable {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;

  constructor(values: Float32Array) {
    this.value = values.slice();
    this.gradient = new Float32Array(values.length);
    this.mean = new Float32Array(values.length);
    this.square = new Float32Array(values.length);
  }
}

/** What a layer gives back. */
export interface Result {
  readonly y: Float32Array;
  /** From the gradient of y, that of the layer's input. */
  backward(g: Float32Array): Float32Array;
}

function accumulate(target: Float32Array, values: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += values[i]!;
}

/** Element by element. */
export function sum(a: Float32Array, b: Float32Array): Float32Array {
  const y = a.slice();
  accumulate(y, b);
  return y;
}

/** y = x·Wᵀ + b. x: (rows, in), weight: (out, in), bias: (out). */
export function linear(x: Float32Array, rows: number, weight: Variable, bias: Variable | null): Result {
  const inputs = x.length / rows;
  const outputs = weight.value.length / inputs;
  const w = weight.value;
  const y = new Float32Array(rows * outputs);
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let total = bias?.value[o] ?? 0;
      for (let i = 0; i < inputs; i++) total += x[r * inputs + i]! * w[o * inputs + i]!;
      y[r * outputs + o] = total;
    }
  }
  const backward = (g: Float32Array): Float32Array => {
    const dx = new Float32Array(x.length);
    const dw = weight.gradient;
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < outputs; o++) {
        const slope = g[r * outputs + o]!;
        for (let i = 0; i < inputs; i++) {
          dx[r * inputs + i]! += slope * w[o * inputs + i]!;
          dw[o * inputs + i]! += slope * x[r * inputs + i]!;
        }
        if (bias !== null) bias.gradient[o]! += slope;
      }
    }
    return dx;
  };
  return { y, backward };
}

/** y = max(x, 0). */
export function relu(x: Float32Array): Result {
  return {
    y: x.map((value) => Math.max(value, 0)),
    backward: (g) => g.map((slope, i) => (x[i]! > 0 ? slope : 0)),
  };
}

export function geluLayer(x: Float32Array): Result {
  return { y: x.map(gelu), backward: (g) => g.map((slope, i) => slope * geluSlope(x[i]!)) };
}

/** x: (rows, channels), weight and bias: (channels). */
export function layerNorm(x: Float32Array, rows: number, weight: Variable, bias: Variable): Result {
  const backward = (g: Float32Array): Float32Array => {
    const [dx, dWeight, dBias] = layerNormGradient(x, weight.value, g, rows);
    accumulate(weight.gradient, dWeight);
    accumulate(bias.gradient, dBias);
    return dx;
  };
  return { y: layerNormRows(x, weight.value, bias.value, rows), backward };
}

/** Rows of the table. index: (count), table: (entries, channels). The input has no gradient. */
export function lookup(index: Int32Array, table: Variable, channels: number): Result {
  const y = new Float32Array(index.length * channels);
  for (const [at, entry] of index.entries())
    y.set(table.value.subarray(entry * channels, (entry + 1) * channels), at * channels);
  const backward = (g: Float32Array): Float32Array => {
    for (const [at, entry] of index.entries()) {
      for (let c = 0; c < channels; c++) table.gradient[entry * channels + c]! += g[at * channels + c]!;
    }
    return new Float32Array(0);
  };
  return { y, backward };
}

/** Sizes of an attention: B sequences of T positions, C channels in H heads of D = C/H. */
export interface AttentionSizes {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly heads: number;
}

/**
 * Causal attention: for each head softmax(q·kᵀ/√D)·v over the positions up to a query's own.
 * @param qkv (B, T, 3·C), queries, keys and values beside each other
 * @returns y: (B, T, C)
 */
export function attention(qkv: Float32Array, { batch, positions, channels, heads }: AttentionSizes): Result {
  const size = channels / heads; // D
  const scale = 1 / Math.sqrt(size);
  const y = new Float32Array(batch * positions * channels);
  const weights: Float32Array[] = []; // one (T, T) for each sequence and head
  const forEachHead = (
    visit: (
      head: number,
      at: (part: 0 | 1 | 2, position: number) => number,
      out: (position: number) => number,
    ) => void,
  ): void => {
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const at = (part: number, position: number): number =>
          ((b * positions + position) * 3 + part) * channels + h * size;
        visit(b * heads + h, at, (position) => (b * positions + position) * channels + h * size);
      }
    }
  };
  forEachHead((head, at, out) => {
    const scores = new Float32Array(positions * positions).fill(-Infinity);
    for (let t = 0; t < positions; t++) {
      for (let s = 0; s <= t; s++) {
        let dot = 0;
        for (let d = 0; d < size; d++) dot += qkv[at(0, t) + d]! * qkv[at(1, s) + d]!;
        scores[t * positions + s] = dot * scale;
      }
    }
    const p = softmaxRows(scores, positions, positions);
    for (let t = 0; t < positions; t++) {
      for (let s = 0; s <= t; s++)
        for (let d = 0; d < size; d++) y[out(t) + d]! += p[t * positions + s]! * qkv[at(2, s) + d]!;
    }
    weights[head] = p;
  });
  // dv = pᵀ·g, dp = g·vᵀ, ds from the softmax, dq = ds·k/√D, dk = dsᵀ·q/√D
  const backward = (g: Float32Array): Float32Array => {
    const dqkv = new Float32Array(qkv.length);
    forEachHead((head, at, out) => {
      const p = weights[head]!;
      const dp = new Float32Array(p.length);
      for (let t = 0; t < positions; t++) {
        for (let s = 0; s <= t; s++) {
          let dot = 0;
          for (let d = 0; d < size; d++) {
            const slope = g[out(t) + d]!;
            dot += slope * qkv[at(2, s) + d]!;
            dqkv[at(2, s) + d]! += p[t * positions + s]! * slope;
          }
          dp[t * positions + s] = dot;
        }
      }
      const ds = softmaxGradient(p, dp, positions, positions);
      for (let t = 0; t < positions; t++) {
        for (let s = 0; s <= t; s++) {
          const slope = ds[t * positions + s]! * scale;
          for (let d = 0; d < size; d++) {
            dqkv[at(0, t) + d]! += slope * qkv[at(1, s) + d]!;
            dqkv[at(1, s) + d]! += slope * qkv[at(0, t) + d]!;
          }
        }
      }
    });
    return dqkv;
  };
  return { y, backward };
}

/**
 * The mean of −ln softmax(logits)[label], and its gradient (softmax − one-hot)/rows. logits: (rows, classes).
 */
export function crossEntropy(
  logits: Float32Array,
  labels: Int32Array,
): { readonly loss: number; readonly gradient: Float32Array } {
  const rows = labels.length;
  const classes = logits.length / rows;
  const gradient = softmaxRows(logits, rows, classes);
  let loss = 0;
  for (const [row, label] of labels.entries()) {
    loss -= Math.log(gradient[row * classes + label]!) / rows;
    gradient[row * classes + label]! -= 1;
  }
  for (let i = 0; i < gradient.length; i++) gradient[i]! /= rows;
  return { loss, gradient };
}

/**
 * One step of Adam with decoupled weight decay (Loshchilov & Hutter 2019); gradients are 0 afterwards. @param
 * step counts from 1
 */
export function adamStep(variables: Iterable<Variable>, step: number, weightDecay: number): void {
  const { rate, beta1, beta2, epsilon } = ADAM;
  const [correction1, correction2] = [1 - beta1 ** step, 1 - beta2 ** step];
  for (const { value, gradient, mean, square } of variables) {
    for (let i = 0; i < value.length; i++) {
      const g = gradient[i]!;
      const m = (mean[i] = beta1 * mean[i]! + (1 - beta1) * g);
      const v = (square[i] = beta2 * square[i]! + (1 - beta2) * g * g);
      value[i] =
        value[i]! * (1 - rate * weightDecay) -
        (rate * (m / correction1)) / (Math.sqrt(v / correction2) + epsilon);
    }
    gradient.fill(0);
  }
}
