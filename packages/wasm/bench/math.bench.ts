/**
 * The float32 functions and Philox on 4096 elements, which stay in the first cache: nanoseconds per element
 * with multiply and add, with fused multiply-add where the engine has it, and by the plainest JavaScript
 * loop, all measured here and now; and the bytes of code that a kernel grows by. float64 beside it, which is
 * JavaScript's functions called lane by lane.
 */
import { philox4x32 } from '@firsthand/linalg';
import { emitFloat64, FLOAT32_FUNCTIONS, type FunctionKind } from '../src/math/functions.ts';
import { emitPow32 } from '../src/math/power.ts';
import { emitPhiloxRun } from '../src/math/philox.ts';
import { apply, hasRelaxed, type Emitter } from '../test/support/vector-functions.ts';

const COUNT = 4096;

/** The shortest time of several, in nanoseconds per element. */
function timeOf(run: () => void): number {
  let best = Infinity;
  for (let start = performance.now(), now = start; now < start + 150; now = performance.now()) {
    for (let i = 0; i < 4; i++) run();
    best = Math.min(best, performance.now() - now);
  }
  return (best * 1e6) / (4 * COUNT);
}

/** Points spread over an interval in no order that a branch predictor could learn. */
const fill = (points: Float32Array | Float64Array, low: number, high: number): void => {
  for (let i = 0; i < points.length; i++) points[i] = low + (high - low) * ((i * 0.6180339887498949) % 1);
};

type Loop = (x: Float32Array, y: Float32Array, z: Float32Array) => void;
/** Nanoseconds per element, and what a kernel grows by. */
interface Time {
  readonly time: number;
  readonly codeBytes: number;
}
interface Row {
  readonly name: string;
  readonly emit: Emitter;
  readonly domains: readonly (readonly [number, number])[];
  readonly plain: Loop | null;
}
const row = (name: FunctionKind, low: number, high: number, plain: Loop | null): Row => {
  const emit: Emitter = (code, [x], features) => FLOAT32_FUNCTIONS[name](code, x!, features);
  return { name, emit, domains: [[low, high]], plain };
};

// oxfmt-ignore
const ROWS: readonly Row[] = [
  row('exp',     -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.exp(x[i]!); }),
  row('expm1',   -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.expm1(x[i]!); }),
  row('log',     0.01,  100, (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.log(x[i]!); }),
  row('log1p',   -0.9,  10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.log1p(x[i]!); }),
  row('sin',     -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.sin(x[i]!); }),
  row('cos',     -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.cos(x[i]!); }),
  row('tan',     -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.tan(x[i]!); }),
  row('tanh',    -5,    5,   (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.tanh(x[i]!); }),
  row('sigmoid', -10,   10,  (x, _, z) => { for (let i = 0; i < COUNT; i++) z[i] = 1 / (1 + Math.exp(-x[i]!)); }),
  row('erf',     -3,    3,   null),
  row('normalCdf', -5,  5,   null),
  {
    name: 'pow',
    emit: (code, [x, y], features) => emitPow32(code, x!, y!, features),
    domains: [[0.1, 3], [-3, 3]],
    plain: (x, y, z) => { for (let i = 0; i < COUNT; i++) z[i] = Math.pow(x[i]!, y[i]!); },
  },
];

console.log(`${'float32'.padEnd(10)} multiply, add   fused   plain loop   ratio   bytes of code`);
for (const { name, emit, domains, plain } of ROWS) {
  const times = [false, true].map((relaxed): Time | null => {
    if (relaxed && !hasRelaxed()) return null;
    const { operands, run, codeBytes } = apply(emit, relaxed, COUNT, domains.length);
    operands.forEach((points, i) => fill(points, ...domains[i]!));
    return { time: timeOf(run), codeBytes };
  });
  const [x, y, z] = [0, 1, 2].map(() => new Float32Array(COUNT)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  domains.forEach((domain, i) => fill([x, y][i]!, ...domain));
  const loop = plain === null ? null : timeOf(() => plain(x, y, z));
  const [ordinary, fused] = times as [Time, Time | null];
  const columns = [
    ordinary.time.toFixed(2).padStart(13),
    (fused?.time.toFixed(2) ?? '–').padStart(7),
    (loop?.toFixed(1) ?? '–').padStart(12),
    (loop === null ? '–' : (loop / ordinary.time).toFixed(1)).padStart(7),
    String(ordinary.codeBytes).padStart(15),
  ];
  console.log(`${name.padEnd(10)} ${columns.join(' ')}`);
}

console.log('\nfloat64, by imported functions');
for (const kind of ['exp', 'tanh', 'erf'] as const) {
  const { operands, run } = apply(
    (code, locals, { imported }) => emitFloat64(code, imported(kind), locals),
    false,
    COUNT,
  );
  fill(new Float64Array(operands[0]!.buffer, 0, COUNT / 2), -3, 3);
  console.log(`${kind.padEnd(10)} ${(2 * timeOf(run)).toFixed(2).padStart(13)}`);
}

const words: Emitter = (code, [key, counter]) => {
  const first = code.local('i32');
  code.i32(0).set(first);
  const [a, b, c, d] = emitPhiloxRun(code, [key!, key!], [counter!, counter!], first);
  code.get(a).get(b).op('v128.xor').get(c).op('v128.xor').get(d).op('v128.xor');
  code.release(first, a, b, c, d);
};
const { run, codeBytes } = apply(words, false, COUNT, 2);
const block = timeOf(() => {
  for (let i = 0; i < COUNT / 64; i++) philox4x32([i, 0, 0, 0], [1, 2]);
});
console.log(
  `\nPhilox, per word: ${(timeOf(run) / 4).toFixed(2)} ns, ${(16 * block).toFixed(1)} ns in @firsthand/linalg; ${codeBytes} bytes of code`,
);
