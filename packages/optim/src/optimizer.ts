/**
 * The base class of optimizers: groups of parameters with their settings, state that exists from
 * construction, and steps that are never split. A step only builds nodes, so it runs in one program with the
 * forward and backward passes before it.
 */
import {
  computeDType,
  type Data,
  effectGroup,
  Guarded,
  guardContents,
  hostValue,
  memoizedAssignments,
  noGrad,
  stateVariable,
  Tensor,
} from '@firsthand/autograd';
import {
  array,
  checkCount,
  checkFunction,
  checkNumber,
  checkOptions,
  describeValue,
  equalShapes,
  FirsthandError,
  formatShape,
  OptionError,
  type OptionKeys,
  type Shape,
  ShapeError,
  zeros,
} from '@firsthand/linalg';
import {
  createGroup,
  type GroupOptions,
  isIterable,
  type ParameterGroup,
  settingsVary,
  withSettings,
} from './group.ts';
import type { Schedule } from './schedule.ts';
import { requireAtLeast } from './settings.ts';

/** A state to go back to: an {@link OptimizerState}, or one whose values have been in a file. */
export interface SavedOptimizerState {
  readonly tensors: ReadonlyMap<string, Tensor | Data>;
  readonly learningRates: readonly number[];
}

/**
 * What an optimizer remembers: its tensors by name (`0.momentum` is of the first parameter), and each group's
 * learning rate.
 */
export interface OptimizerState extends SavedOptimizerState {
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** The tensors that an optimizer keeps for one parameter, by name. */
type StateTensors = { readonly [slot: string]: Tensor };

/**
 * Their shapes; they begin at 0 and have the parameter's device and dtype, or float32 for a float16
 * parameter.
 */
export type StateShapes<State> = { readonly [K in keyof State]: Shape };

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/** The base of optimizers: a subclass says what it keeps per parameter, and how one parameter is updated. */
export abstract class Optimizer<
  Settings extends { readonly lr: number },
  State extends { readonly [K in keyof State]?: Tensor },
> extends Guarded {
  readonly #groups: ParameterGroup<Settings>[] = [];
  readonly #state = new Map<Tensor, State>();
  readonly #settings: Settings;
  readonly #shapes: (group: Settings, parameter: Tensor) => StateShapes<State>;
  readonly #pure: unknown;
  /** Whether it has been said that a step without gradients updates nothing. */
  #isIdleKnown = false;

  /**
   * @param parameters what to update: tensors, or groups of tensors with settings of their own
   * @param settings of the groups that do not say otherwise
   * @param shapes of the state of one parameter; throws if a setting is out of range
   * @param pure the subclass's `update`, if it depends on its arguments alone: a compiled step that is traced
   *   again does not build it again then
   * @throws FirsthandError if there are none, one stands in two groups or was computed, or a learning rate is
   *   no number from 0 on
   */
  constructor(
    parameters: Iterable<Tensor> | Iterable<GroupOptions<Settings>>,
    settings: Settings,
    shapes: (group: Settings, parameter: Tensor) => StateShapes<State>,
    pure: unknown = null,
  ) {
    super();
    this.#pure = pure;
    this.#settings = settings;
    this.#shapes = shapes;
    const operation = this.constructor.name;
    if (!isIterable(parameters)) {
      const problem = `the parameters are ${describeValue(parameters)}`;
      throw new OptionError({
        operation,
        problem,
        expected: 'tensors, or groups of tensors',
        remedy: 'pass model.parameters()',
      });
    }
    const entries: readonly (Tensor | GroupOptions<Settings>)[] = [...parameters];
    const groups = entries.every(isTensor) ? [{ parameters: entries }] : entries;
    if (groups.some(isTensor)) {
      const problem = 'there are tensors among the groups of tensors';
      throw new FirsthandError({
        operation,
        problem,
        expected: 'tensors or groups of tensors, not both',
        remedy: 'put the tensors in a group',
      });
    }
    for (const group of groups) this.addGroup(group as GroupOptions<Settings>);
    if (this.#state.size === 0) {
      throw new FirsthandError({
        operation,
        problem: 'no parameters',
        expected: 'parameters',
        remedy: 'pass model.parameters()',
      });
    }
  }

  /** The groups of parameters with their settings, which may be set between steps. */
  get groups(): readonly ParameterGroup<Settings>[] {
    return guardContents(this.#groups);
  }

  /**
   * Adds a group of parameters, a new layer's for instance; settings that it does not give are the
   * optimizer's own.
   * @throws FirsthandError if a parameter is in a group already or was computed, or a setting is out of
   *   range; nothing is added then
   */
  addGroup(group: GroupOptions<Settings>): void {
    checkCount('addGroup', arguments.length, 1, 'optimizer.addGroup({ parameters, lr })');
    const operation = this.constructor.name;
    if (!isIterable(group?.parameters)) {
      const problem = `the parameters of the group are ${describeValue(group?.parameters)}`;
      throw new OptionError({
        operation,
        problem,
        expected: 'tensors',
        remedy: 'write { parameters: model.parameters() }',
      });
    }
    const keys = { ...this.#settings, parameters: true };
    checkOptions(
      operation,
      group,
      Object.fromEntries(Object.keys(keys).map((key) => [key, true])) as OptionKeys<GroupOptions<Settings>>,
    );
    const merged = { ...withSettings(this.#settings, group), parameters: [...group.parameters] };
    requireAtLeast(operation, 'lr', merged.lr, 0);
    const states = new Map<Tensor, State>();
    for (const parameter of merged.parameters) {
      const label = parameter.name ?? `parameter ${this.#state.size + states.size}`;
      if (this.#state.has(parameter) || states.has(parameter)) {
        const problem = `${label} stands in the groups twice`;
        throw new FirsthandError({
          operation,
          problem,
          operands: [parameter],
          expected: 'each parameter once',
          remedy: 'list it once',
        });
      }
      states.set(parameter, createState(operation, label, parameter, this.#shapes(merged, parameter)));
    }
    for (const [parameter, state] of states) this.#state.set(parameter, state);
    this.#groups.push(createGroup(merged));
  }

  /**
   * The update of one parameter, as assignments. rate: the group's learning rate, a scalar of the parameter's
   * dtype. The state and the rate of a float16 parameter are float32, and so is the arithmetic: the parameter
   * itself is rounded, once.
   * @param numbers what `numbersOf` gives for the group, a vector of the rate's dtype, once its settings have
   *   been set between steps; else null
   */
  protected abstract update(
    parameter: Tensor,
    gradient: Tensor,
    rate: Tensor,
    state: State,
    group: ParameterGroup<Settings>,
    numbers: Tensor | null,
  ): void;

  /**
   * The numbers of the update's formula, which a compiled step takes from each call after settings have been
   * set between steps. Null, if not given: the update then reads the settings themselves, and is traced again
   * for other ones.
   */
  protected numbersOf(_group: ParameterGroup<Settings>): readonly number[] | null {
    return null;
  }

  /**
   * Updates every parameter that has a gradient. Builds the update; it runs with the next read. If no
   * parameter has a gradient, nothing is updated, and a warning says so once.
   */
  step(): void {
    checkCount('step', arguments.length, 0, 'optimizer.step()');
    let updates = 0;
    noGrad(() =>
      effectGroup(() => {
        for (const group of this.groups) updates += this.#stepGroup(group);
      }),
    );
    if (updates === 0) this.#warnIdle();
  }

  #warnIdle(): void {
    if (this.#isIdleKnown) return;
    this.#isIdleKnown = true;
    // oxlint-disable-next-line no-console -- said once, to the person who waits for the parameters to change
    console.warn(
      `${this.constructor.name}: step() updates nothing, since none of the ${this.#state.size} parameters has a gradient; ` +
        'call backward() on a loss that depends on them before, and zeroGrad() after',
    );
  }

  /** Gives the number of parameters that are updated. */
  #stepGroup(group: ParameterGroup<Settings>): number {
    const shared: { readonly rate: Tensor; readonly numbers: Tensor | null }[] = [];
    const varies = settingsVary(group) && this.numbersOf !== Optimizer.prototype.numbersOf;
    if (!varies) this.#checkSettings(group);
    const sample = (): readonly number[] => {
      this.#checkSettings(group);
      return this.numbersOf(group)!;
    };
    const variables: Tensor[] = [];
    const operands: unknown[] = varies ? [] : this.#settingsOf(group);
    const builds: (() => void)[] = [];
    for (const parameter of group.parameters) {
      const { grad } = parameter;
      if (grad === null) continue;
      const { device } = parameter;
      const dtype = computeDType(parameter.dtype);
      let found = shared.find(({ rate }) => rate.dtype === dtype && rate.device === device);
      if (found === undefined) {
        found = {
          rate: hostValue(() => group.lr, { dtype, device }),
          numbers: varies ? hostValue(sample, { dtype, device }) : null,
        };
        shared.push(found);
      }
      const { rate, numbers } = found;
      const state = this.#state.get(parameter)!;
      variables.push(parameter, ...Object.values<Tensor>(state as StateTensors));
      operands.push(grad, rate, numbers);
      builds.push(() => this.update(parameter, grad, rate, state, group, numbers));
    }
    const build = (): void => builds.forEach((update) => update());
    if (this.update === this.#pure) memoizedAssignments(variables, [this.#pure, ...operands], build);
    else build();
    return builds.length;
  }

  /** All settings of a group but the learning rate, lists by their elements. */
  #settingsOf(group: ParameterGroup<Settings>): unknown[] {
    const keys = Object.keys(this.#settings) as (keyof Settings & string)[];
    return keys.flatMap((key): unknown => (key === 'lr' ? [] : group[key]));
  }

  /**
   * Settings may have been set since the last step: they must be in range, and ask for no state that is not
   * there.
   */
  #checkSettings(group: ParameterGroup<Settings>): void {
    const [parameter] = group.parameters;
    if (parameter === undefined) return;
    const state: object = this.#state.get(parameter)!;
    const missing = Object.keys(this.#shapes(group, parameter)).filter((slot) => !(slot in state));
    if (missing.length === 0) return;
    throw new FirsthandError({
      operation: this.constructor.name,
      problem:
        `a setting needs the state ${missing.join(', ')}, ` + 'which exists from construction or not at all',
      operands: [parameter],
      expected: 'the setting to the constructor',
      remedy: 'give the setting to the constructor',
    });
  }

  /**
   * Drops all gradients. Call it last in a step: gradients that nobody can ask for any more are used, and
   * never stored.
   */
  zeroGrad(): void {
    checkCount('zeroGrad', arguments.length, 0, 'optimizer.zeroGrad()');
    for (const { parameters } of this.groups) for (const parameter of parameters) parameter.grad = null;
  }

  /**
   * Sets each group's learning rate to its base rate times the schedule's factor for this step, counted from
   * 0.
   * @throws FirsthandError unless the factor is a number from 0 on
   */
  follow(schedule: Schedule, step: number): void {
    checkCount('follow', arguments.length, 2, 'optimizer.follow(schedule, step)');
    checkFunction('follow', 'the schedule', schedule, 'optimizer.follow(schedule.cosine({ steps }), step)');
    checkNumber('follow', 'the step', step);
    const factor: unknown = schedule(step);
    if (typeof factor !== 'number' || !(factor >= 0 && factor < Infinity)) {
      throw new FirsthandError({
        operation: 'follow',
        problem: `the schedule gives ${describeValue(factor)} at step ${step}`,
        expected: 'a factor of the learning rate, a number from 0 on',
        remedy: typeof factor === 'function' ? 'call it: schedule.cosine({ steps })' : undefined,
      });
    }
    for (const group of this.groups) group.lr = group.baseLr * factor;
  }

  // ---- state

  #named(): Map<string, Tensor> {
    const states = [...this.#state.values()];
    return new Map(
      states.flatMap((state, index) =>
        Object.entries<Tensor>(state as StateTensors).map(([slot, tensor]) => [`${index}.${slot}`, tensor]),
      ),
    );
  }

  /**
   * What the optimizer remembers: the tensors themselves, which go on changing, and the learning rates of
   * now.
   */
  stateDict(): OptimizerState {
    checkCount('stateDict', arguments.length, 0, 'optimizer.stateDict()');
    return { tensors: this.#named(), learningRates: this.groups.map(({ lr }) => lr) };
  }

  /** Checks that a state fits, and changes nothing. @throws FirsthandError, ShapeError as `loadStateDict` */
  checkStateDict(state: SavedOptimizerState): void {
    checkCount('checkStateDict', arguments.length, 1, 'optimizer.checkStateDict(state)');
    const operation = 'loadStateDict';
    const { tensors, learningRates } = checkOptions(operation, state, { tensors: true, learningRates: true });
    if (!(tensors instanceof Map) || !Array.isArray(learningRates)) {
      const [map, rates] = [describeValue(tensors), describeValue(learningRates)];
      const problem = `tensors is ${map}, learningRates is ${rates}`;
      throw new OptionError({
        operation,
        problem,
        expected: 'a state of stateDict(): a Map of tensors, and an array of numbers',
      });
    }
    const named = this.#named();
    const missing = [...named.keys()].filter((name) => !tensors.has(name));
    const unexpected = [...tensors.keys()].filter((name) => !named.has(name));
    if (missing.length + unexpected.length > 0) {
      const names = `missing ${missing.join(', ') || 'none'}, unexpected ${unexpected.join(', ') || 'none'}`;
      const problem = `the state is of another optimizer or other parameters: ${names}`;
      throw new FirsthandError({ operation, problem, expected: 'the state of this optimizer' });
    }
    if (learningRates.length !== this.groups.length || !learningRates.every(Number.isFinite)) {
      const problem = `${this.groups.length} groups need as many learning rates, got [${learningRates.join(', ')}]`;
      throw new FirsthandError({ operation, problem, expected: 'as many learning rates' });
    }
    for (const [name, tensor] of named) {
      const value = tensors.get(name)!;
      const given = value instanceof Tensor ? value : array(value, { copy: false });
      if (!equalShapes(given.shape, tensor.shape) || given.dtype !== tensor.dtype) {
        const expected = `${tensor.dtype} ${formatShape(tensor.shape)}`;
        const problem = `${name} is ${expected}, the state has ${given.dtype} ${formatShape(given.shape)}`;
        const operands = [tensor, given].map(({ shape, dtype }) => ({ name, shape, dtype }));
        throw new ShapeError({ operation, problem, operands, expected });
      }
    }
  }

  /**
   * Goes back to a state, exactly. Settings other than the learning rates are the program's, and are not part
   * of it. All or nothing.
   * @throws FirsthandError if names or the number of groups differ, ShapeError if a shape or dtype does
   */
  loadStateDict(state: SavedOptimizerState): void {
    checkCount('loadStateDict', arguments.length, 1, 'optimizer.loadStateDict(state)');
    this.checkStateDict(state);
    effectGroup(() => {
      for (const [name, tensor] of this.#named()) {
        const given = state.tensors.get(name)!;
        tensor.assign(given);
      }
    });
    this.groups.forEach((group, index) => {
      group.lr = state.learningRates[index]!;
    });
  }
}

function createState<State>(
  operation: string,
  label: string,
  parameter: Tensor,
  shapes: StateShapes<State>,
): State {
  if (!parameter.isLeaf) {
    throw new FirsthandError({
      operation,
      problem: `${label} was computed`,
      operands: [parameter],
      expected: 'leaves',
      remedy: 'only leaves can be updated, such as tensors made with requiresGrad: true',
    });
  }
  const { dtype, device } = parameter;
  const tensors = Object.entries<Shape>(shapes).map(([slot, shape]) => [
    slot,
    stateVariable(zeros(shape, { dtype: computeDType(dtype) }), { device, name: `${label}.${slot}` }),
  ]);
  return Object.fromEntries(tensors) as State;
}
