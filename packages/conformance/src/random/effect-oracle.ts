/**
 * Random programs with effects, and what they mean: two parameters, a momentum, a running statistic, two
 * gradients, and losses with derivatives by hand. The oracle does every statement at once, on plain vectors
 * of two numbers.
 */
import fc from 'fast-check';
import { philoxWords } from '../oracle/philox.ts';

export type Vector = readonly [number, number];
export type Parameter = 'w' | 'v';
/** Which loss: see LOSSES. */
export type LossKind = 0 | 1 | 2;
type Slot = 0 | 1;

export type Statement =
  | { readonly do: 'forward'; readonly slot: Slot; readonly kind: LossKind }
  | { readonly do: 'backward'; readonly slot: Slot; readonly retain: boolean }
  | { readonly do: 'step'; readonly parameter: Parameter; readonly rate: number }
  | { readonly do: 'momentum'; readonly rate: number }
  | { readonly do: 'mix' }
  | { readonly do: 'statistic' }
  | { readonly do: 'noise' }
  | { readonly do: 'zeroGrad'; readonly parameter: Parameter }
  | { readonly do: 'read'; readonly what: 'parameter' | 'loss' | 'gradient' | 'statistic' };

const slot = fc.constantFrom<Slot>(0, 1);
const parameter = fc.constantFrom<Parameter>('w', 'v');
const rate = fc.constantFrom(0.1, 0.02);

export const statements: fc.Arbitrary<readonly Statement[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('forward' as const),
        slot,
        kind: fc.constantFrom<LossKind>(0, 1, 2),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('backward' as const), slot, retain: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('step' as const), parameter, rate }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('momentum' as const), rate }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('mix' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('statistic' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('noise' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('zeroGrad' as const), parameter }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('read' as const),
        what: fc.constantFrom(
          'parameter' as const,
          'loss' as const,
          'gradient' as const,
          'statistic' as const,
        ),
      }),
    },
  ),
  { minLength: 2, maxLength: 16, size: 'max' },
);

export const START: { readonly [K in 'w' | 'v' | 'm' | 's']: Vector } = {
  w: [0.4, -0.3],
  v: [0.7, 0.2],
  m: [0, 0],
  s: [1, -0.5],
};
export const DATA: Vector = [0.5, -0.25];

const zip = (a: Vector, b: Vector, f: (x: number, y: number) => number): Vector => [
  f(a[0], b[0]),
  f(a[1], b[1]),
];
const total = (a: Vector): number => a[0] + a[1];

interface Derivatives {
  readonly value: number;
  readonly w: Vector;
  readonly v: Vector;
}

/** Each loss with its derivatives, of w, v, the statistic s, and the data x. */
const LOSSES: { readonly [K in LossKind]: (w: Vector, v: Vector, s: Vector, x: Vector) => Derivatives } = {
  // Σ (w·v − x)²
  0: (w, v, _, x) => {
    const residual = zip(
      zip(w, v, (a, b) => a * b),
      x,
      (a, b) => a - b,
    );
    return {
      value: total(zip(residual, residual, (a, b) => a * b)),
      w: zip(residual, v, (r, b) => 2 * r * b),
      v: zip(residual, w, (r, a) => 2 * r * a),
    };
  },
  // Σ sin(w)·x + v·s
  1: (w, v, s, x) => ({
    value: total(zip(w, x, (a, b) => Math.sin(a) * b)) + total(zip(v, s, (a, b) => a * b)),
    w: zip(w, x, (a, b) => Math.cos(a) * b),
    v: s,
  }),
  // Σ tanh(w)
  2: (w) => ({
    value: Math.tanh(w[0]) + Math.tanh(w[1]),
    w: [1 - Math.tanh(w[0]) ** 2, 1 - Math.tanh(w[1]) ** 2],
    v: [0, 0],
  }),
};
/** The parameters that a loss depends on: the others get no gradient from it. */
const DEPENDS: { readonly [K in LossKind]: readonly Parameter[] } = {
  0: ['w', 'v'],
  1: ['w', 'v'],
  2: ['w'],
};

/** What runs statements: the oracle, or tensors on a device. */
export interface Machine<Loss> {
  forward(kind: LossKind): Loss;
  backward(loss: Loss, retain: boolean): void;
  hasGradient(parameter: Parameter): boolean;
  /** parameter ← parameter − rate·gradient */
  step(parameter: Parameter, rate: number): void;
  /** m ← 0.9·m + gradient of w; w ← w − rate·m */
  momentum(rate: number): void;
  /** w ← 0.9·w + 0.1·v; then v ← 0.9·v − 0.1·w */
  mix(): void;
  /** s ← 0.9·s + 0.1·w */
  statistic(): void;
  /** s ← 0.5·s + 0.1·u, with u uniform: the next block of the default generator. */
  noise(): void;
  zeroGrad(parameter: Parameter): void;
}

/** A value that is read in between. */
export type Reading<Loss> =
  | { readonly kind: 'parameter' | 'gradient'; readonly of: Parameter }
  | { readonly kind: 'statistic' }
  | { readonly kind: 'loss'; readonly of: Loss };

interface Forward<Loss> {
  readonly loss: Loss;
  readonly versions: { readonly [K in Parameter | 's']: number };
  released: boolean;
}

/**
 * Runs the statements once, and yields where a value is read. A loss is used only while at most one update
 * has moved each variable on since its forward pass, as eager execution promises. Gives the losses that
 * backward started from, in order.
 */
export function* execute<Loss>(
  list: readonly Statement[],
  machine: Machine<Loss>,
): Generator<Reading<Loss>, readonly Loss[]> {
  const slots: (Forward<Loss> | null)[] = [null, null];
  const versions = { w: 0, v: 0, s: 0 };
  const roots: Loss[] = [];
  const isFresh = ({ versions: then }: Forward<Loss>): boolean =>
    versions.w - then.w <= 1 && versions.v - then.v <= 1 && versions.s - then.s <= 1;
  for (const statement of list) {
    switch (statement.do) {
      case 'forward':
        slots[statement.slot] = {
          loss: machine.forward(statement.kind),
          versions: { ...versions },
          released: false,
        };
        break;
      case 'backward': {
        const forward = slots[statement.slot]!;
        if (forward === null || forward.released || !isFresh(forward)) break;
        machine.backward(forward.loss, statement.retain);
        forward.released = !statement.retain;
        if (!roots.includes(forward.loss)) roots.push(forward.loss);
        break;
      }
      case 'step':
        if (!machine.hasGradient(statement.parameter)) break;
        machine.step(statement.parameter, statement.rate);
        versions[statement.parameter]++;
        break;
      case 'momentum':
        if (!machine.hasGradient('w')) break;
        machine.momentum(statement.rate);
        versions.w++;
        break;
      case 'mix':
        machine.mix();
        versions.w++;
        versions.v++;
        break;
      case 'statistic':
        machine.statistic();
        versions.s++;
        break;
      case 'noise':
        machine.noise();
        versions.s++;
        break;
      case 'zeroGrad':
        machine.zeroGrad(statement.parameter);
        break;
      case 'read': {
        const fresh = slots.find((forward) => forward !== null && isFresh(forward));
        if (statement.what === 'loss' && fresh) yield { kind: 'loss', of: fresh.loss };
        if (statement.what === 'statistic') yield { kind: 'statistic' };
        if (statement.what === 'parameter') yield { kind: 'parameter', of: 'w' };
        if (statement.what === 'gradient' && machine.hasGradient('v')) yield { kind: 'gradient', of: 'v' };
        break;
      }
    }
  }
  return roots;
}

interface OracleLoss extends Derivatives {
  readonly kind: LossKind;
}

/** The machine that does everything at once. */
export class Oracle implements Machine<OracleLoss> {
  readonly state: { w: Vector; v: Vector; m: Vector; s: Vector } = { ...START };
  readonly gradients: { [K in Parameter]: Vector | null } = { w: null, v: null };
  readonly #key: readonly [number, number];
  #draws = 0;

  /** @param key of the default generator, whose counter is at 0 */
  constructor(key: readonly [number, number]) {
    this.#key = key;
  }

  forward(kind: LossKind): OracleLoss {
    return { kind, ...LOSSES[kind](this.state.w, this.state.v, this.state.s, DATA) };
  }
  backward(loss: OracleLoss): void {
    for (const name of DEPENDS[loss.kind]) {
      const sum = this.gradients[name];
      this.gradients[name] = sum === null ? loss[name] : zip(sum, loss[name], (a, b) => a + b);
    }
  }
  hasGradient(name: Parameter): boolean {
    return this.gradients[name] !== null;
  }
  step(name: Parameter, by: number): void {
    this.state[name] = zip(this.state[name], this.gradients[name]!, (a, g) => a - by * g);
  }
  momentum(by: number): void {
    this.state.m = zip(this.state.m, this.gradients.w!, (m, g) => 0.9 * m + g);
    this.state.w = zip(this.state.w, this.state.m, (a, m) => a - by * m);
  }
  mix(): void {
    this.state.w = zip(this.state.w, this.state.v, (a, b) => 0.9 * a + 0.1 * b);
    this.state.v = zip(this.state.v, this.state.w, (b, a) => 0.9 * b - 0.1 * a);
  }
  statistic(): void {
    this.state.s = zip(this.state.s, this.state.w, (a, b) => 0.9 * a + 0.1 * b);
  }
  noise(): void {
    const [first, second] = philoxWords([this.#draws++, 0], this.#key, 2).map(
      (word) => Math.floor(word / 256) / 2 ** 24,
    );
    this.state.s = zip(this.state.s, [first!, second!], (a, u) => 0.5 * a + 0.1 * u);
  }
  zeroGrad(name: Parameter): void {
    this.gradients[name] = null;
  }
  /** The value of a reading. */
  valueOf(reading: Reading<OracleLoss>): readonly number[] {
    switch (reading.kind) {
      case 'parameter':
        return this.state[reading.of];
      case 'gradient':
        return this.gradients[reading.of]!;
      case 'statistic':
        return this.state.s;
      case 'loss':
        return [reading.of.value];
    }
  }
}
