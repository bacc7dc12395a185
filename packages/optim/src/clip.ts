/** Gradient clipping before a step, so that one bad batch does not move the parameters far. */
import { noGrad, Tensor, zeros } from '@firsthand/autograd';
import { checkCount, describeValue, FirsthandError, OptionError } from '@firsthand/linalg';
import { isIterable } from './group.ts';
import { requireAtLeast } from './settings.ts';
import { widen } from './widen.ts';

/** The first parameter of each list without gradients that was warned of. */
const knownIdle: WeakSet<Tensor> = /* @__PURE__ */ new WeakSet();

/** @throws OptionError for what are no tensors that can be iterated: one tensor, a module */
function parametersOf(operation: string, parameters: Iterable<Tensor>): readonly Tensor[] {
  const all: readonly unknown[] | null = isIterable(parameters) ? [...parameters] : null;
  if (all?.every((each) => each instanceof Tensor) === true) return all;
  const problem =
    all === null
      ? `the parameters are ${describeValue(parameters)}`
      : `${describeValue(all.find((each) => !(each instanceof Tensor)))} is among the parameters`;
  throw new OptionError({ operation, problem, expected: 'tensors', remedy: 'pass model.parameters()' });
}

/**
 * The gradients that are there, with their parameters. Where there are none, nothing is limited, which a
 * warning says once.
 * @throws FirsthandError if there are no parameters, as after an iterator's end
 */
function gradientsOf(operation: string, parameters: Iterable<Tensor>): (readonly [Tensor, Tensor])[] {
  const all = parametersOf(operation, parameters);
  const [first] = all;
  if (first === undefined) {
    throw new FirsthandError({
      operation,
      problem: 'no parameters',
      expected: 'parameters',
      remedy: 'pass model.parameters()',
    });
  }
  const gradients = all.flatMap((parameter) => {
    const { grad } = parameter;
    return grad === null ? [] : [[parameter, grad] as const];
  });
  if (gradients.length === 0 && !knownIdle.has(first)) {
    knownIdle.add(first);
    // oxlint-disable-next-line no-console -- said once, to the person who relies on the limit
    console.warn(
      `${operation}: none of the ${all.length} parameters has a gradient, so that nothing is limited; ` +
        'call it after backward(), and before step() and zeroGrad()',
    );
  }
  return gradients;
}

/**
 * Scales all gradients by one factor, so that their joint Euclidean norm is at most `maxNorm` (Pascanu et al.
 * 2013): by min(1, maxNorm/(norm + 1e-6)), as torch. Nothing is computed here; the scaling runs with the
 * step.
 * @param parameters those without a gradient are left alone
 * @returns the norm before, a scalar; 0 without gradients. float32 for float16 gradients, since it may be
 *   more than they can
 * @throws FirsthandError unless maxNorm ≥ 0, or if there are no parameters
 * @example
 * ```ts
 * import { tensor } from '@firsthand/autograd';
 * import { clipGradNorm } from '@firsthand/optim';
 * const w = tensor([3, 4], { requiresGrad: true });
 * w.square().sum().backward();
 * const norm = clipGradNorm([w], 5);
 * console.log(await norm.item(), (await w.grad?.norm().item())?.toFixed(4)); // 10 5.0000
 * ```
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxNorm: number): Tensor {
  checkCount('clipGradNorm', arguments.length, 2, 'clipGradNorm(model.parameters(), maxNorm)');
  requireAtLeast('clipGradNorm', 'maxNorm', maxNorm, 0);
  return noGrad(() => {
    const gradients = gradientsOf('clipGradNorm', parameters);
    const [first, ...rest] = gradients.map(([, gradient]) => widen(gradient).square().sum());
    if (first === undefined) return zeros([]);
    const norm = rest.reduce((total, each) => total.add(each.cast(first.dtype)), first).sqrt();
    const factor = norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1);
    for (const [parameter, gradient] of gradients) {
      const wide = widen(gradient);
      const scaled = wide.mul(factor.cast(wide.dtype));
      parameter.grad = wide === gradient ? scaled : scaled.cast(gradient.dtype);
    }
    return norm;
  });
}

/**
 * Limits each element of each gradient to [−limit, limit].
 * @throws FirsthandError unless limit ≥ 0, or if there are no parameters
 */
export function clipGradValue(parameters: Iterable<Tensor>, limit: number): void {
  checkCount('clipGradValue', arguments.length, 2, 'clipGradValue(model.parameters(), limit)');
  requireAtLeast('clipGradValue', 'limit', limit, 0);
  noGrad(() => {
    for (const [parameter, gradient] of gradientsOf('clipGradValue', parameters))
      parameter.grad = gradient.clamp(-limit, limit);
  });
}
