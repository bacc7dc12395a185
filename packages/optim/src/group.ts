/**
 * Parameter groups: parameters with common settings, which may be changed between steps. A trace guards the
 * settings that it reads; once one has changed, an optimizer may make all of them arguments of the compiled
 * step, as the learning rate is.
 */
import { guard, type Tensor } from '@firsthand/autograd';

/** Whether a value is iterable: a list of parameters is, one tensor or a module is not. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function';
}

/** Parameters with settings that differ from the optimizer's own. */
export type GroupOptions<Settings> = Partial<Settings> & { readonly parameters: Iterable<Tensor> };

/** Parameters that are updated alike. Settings may be set between steps, and compiled steps follow them. */
export type ParameterGroup<Settings> = { -readonly [K in keyof Settings]: Settings[K] } & {
  readonly parameters: readonly Tensor[];
  /** The learning rate of the next step. */
  lr: number;
  /** The learning rate that the group was made with, which schedules scale. */
  readonly baseLr: number;
};

/** The settings with those that are given; one that is `undefined` is not given. */
export function withSettings<Settings extends object>(
  settings: Settings,
  given: Partial<Settings>,
): Settings {
  return {
    ...settings,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

/** Whether a setting of a group has been set since it was made, the learning rate apart. */
const marks = /* @__PURE__ */ new WeakMap<object, { varies: boolean }>();

/** Not a plain object, whose elements count where a list of them is guarded: a group guards its own. */
class Group {}

/** A group with these settings, each of which is guarded where a trace reads it. */
export function createGroup<Settings extends { readonly lr: number }>(
  settings: Settings & { readonly parameters: readonly Tensor[] },
): ParameterGroup<Settings> {
  const values: { [key: string]: unknown } = { ...settings, baseLr: settings.lr };
  const mark = { varies: false };
  const group = new Group();
  for (const key of Object.keys(values)) {
    const isFixed = key === 'parameters' || key === 'baseLr';
    Object.defineProperty(group, key, {
      enumerable: true,
      get: () => guard(values, key),
      ...(isFixed ? {} : { set: (value: unknown) => set(values, key, value, mark) }),
    });
  }
  marks.set(group, mark);
  return group as ParameterGroup<Settings>;
}

function set(
  values: { [key: string]: unknown },
  key: string,
  value: unknown,
  mark: { varies: boolean },
): void {
  if (key !== 'lr' && !Object.is(values[key], value)) mark.varies = true;
  values[key] = value;
}

/**
 * Whether the settings of a group, the learning rate apart, have been set since it was made: then they are
 * numbers of a run.
 */
export function settingsVary(group: object): boolean {
  const mark = marks.get(group);
  return mark !== undefined && guard(mark, 'varies');
}
