/**
 * Elementwise functions, softmax and flattening as modules, for `Sequential`. Each is a tensor's method of
 * the same name.
 */
import type { Tensor } from '@firsthand/autograd';
import {
  AXIS_KEYS,
  type AxisArgument,
  checkChoice,
  checkCount,
  describeValue,
  type OneAxis,
  oneAxisOptions,
  OptionError,
} from '@firsthand/linalg';
import { Module } from './module.ts';

/** @throws OptionError unless a setting is a number, and the only one */
function checkSetting(layer: string, name: string, value: number, given: number): void {
  checkCount(layer, given, 1, `new ${layer}(${name})`);
  if (typeof value === 'number') return;
  throw new OptionError({
    operation: layer,
    problem: `${name} is ${describeValue(value)}`,
    expected: 'a number',
    remedy: `write new ${layer}(${name})`,
  });
}

/** max(x, 0) */
export class ReLU extends Module {
  constructor() {
    super();
    checkCount('ReLU', arguments.length, 0, 'new ReLU()');
  }
  forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** x for x > 0, else slope·x; slope 0.01 if not given. */
export class LeakyReLU extends Module {
  readonly slope: number;
  constructor(slope = 0.01) {
    super();
    checkSetting('LeakyReLU', 'slope', slope, arguments.length);
    this.slope = slope;
  }
  forward(x: Tensor): Tensor {
    return x.leakyRelu(this.slope);
  }
}

/** x for x > 0, else α(eˣ − 1); α = 1 if not given. */
export class ELU extends Module {
  readonly alpha: number;
  constructor(alpha = 1) {
    super();
    checkSetting('ELU', 'alpha', alpha, arguments.length);
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return x.elu(this.alpha);
  }
}

/** x·Φ(x), exactly or by its tanh approximation. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';
  constructor(approximate: 'none' | 'tanh' = 'none') {
    super();
    checkCount('GELU', arguments.length, 1, "new GELU('tanh')");
    this.approximate = checkChoice('GELU', 'the approximation', approximate, ['none', 'tanh']);
  }
  forward(x: Tensor): Tensor {
    return x.gelu(this.approximate);
  }
}

/** x·σ(x) */
export class SiLU extends Module {
  constructor() {
    super();
    checkCount('SiLU', arguments.length, 0, 'new SiLU()');
  }
  forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  constructor() {
    super();
    checkCount('Tanh', arguments.length, 0, 'new Tanh()');
  }
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** 1/(1 + e⁻ˣ) */
export class Sigmoid extends Module {
  constructor() {
    super();
    checkCount('Sigmoid', arguments.length, 0, 'new Sigmoid()');
  }
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** ln(1 + eˣ) */
export class Softplus extends Module {
  constructor() {
    super();
    checkCount('Softplus', arguments.length, 0, 'new Softplus()');
  }
  forward(x: Tensor): Tensor {
    return x.softplus();
  }
}

/** eˣ / Σ eˣ along one axis, the last if not given. */
export class Softmax extends Module {
  readonly axis: number;
  /** @param axis a number or { axis } */
  constructor(axis?: AxisArgument<OneAxis>) {
    super();
    checkCount('Softmax', arguments.length, 1, 'new Softmax(axis)');
    this.axis = oneAxisOptions('Softmax', axis, AXIS_KEYS).axis ?? -1;
  }
  forward(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }
}

/** Joins the axes from `start` to `end` into one; all but the first if not given: (N, …) → (N, ∏…). */
export class Flatten extends Module {
  readonly start: number;
  readonly end: number;
  constructor(start = 1, end = -1) {
    super();
    checkCount('Flatten', arguments.length, 2, 'new Flatten(start, end)');
    for (const [name, value] of Object.entries({ start, end })) {
      if (Number.isInteger(value)) continue;
      const problem = `${name} is ${describeValue(value)}`;
      throw new OptionError({
        operation: 'Flatten',
        problem,
        expected: 'an axis',
        remedy: 'write new Flatten(1, -1)',
      });
    }
    this.start = start;
    this.end = end;
  }
  forward(x: Tensor): Tensor {
    return x.flatten(this.start, this.end);
  }
}
