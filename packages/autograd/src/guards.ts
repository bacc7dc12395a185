/**
 * Guards: the JavaScript state that a trace has read, with the values then. While all of them are equal, the
 * plan of the trace is valid; otherwise the function is traced again. A check is linear in the number of
 * reads; objects with an unchanged version number are skipped.
 */

/** An object that counts its changes: as long as `version` is the same, its fields are. */
export interface Versioned {
  version: number;
}

/** The fields of one object that a trace has read, tested for or listed. */
interface FieldGuards {
  readonly versioned: Versioned;
  readonly object: object;
  /** A field's value, or its getter. */
  readonly values: Map<PropertyKey, unknown>;
  readonly presence: Map<PropertyKey, boolean>;
  keys: readonly PropertyKey[] | null;
  /** Fields that the function set before it read them: their earlier values do not matter. */
  readonly written: Set<PropertyKey>;
  /** The latest version at which all of them were equal to the trace's; −1 before the first check. */
  checked: number;
}

/** Arrays, typed arrays, maps, sets and plain objects: their elements are compared one by one. */
type Collection =
  | ArrayLike<unknown>
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | { readonly [key: string]: unknown };

/** True for objects written as `{ … }`. */
export function isPlain(value: unknown): value is { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isCollection(value: unknown): value is Collection {
  if (typeof value !== 'object' || value === null) return false;
  return isList(value) || value instanceof Map || value instanceof Set || isPlain(value);
}

function isList(value: object): value is ArrayLike<unknown> & { slice(): ArrayLike<unknown> } {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** The elements of a collection in order; keys are elements too. */
function elementsOf(collection: Exclude<Collection, ArrayLike<unknown>>): readonly unknown[] {
  if (collection instanceof Map) return [...collection].flat(1);
  return collection instanceof Set ? [...collection] : Object.entries(collection).flat(1);
}

function snapshot(collection: Collection): ArrayLike<unknown> {
  return isList(collection)
    ? collection.slice()
    : elementsOf(collection as Exclude<Collection, ArrayLike<unknown>>);
}

function sameElements(collection: Collection, elements: ArrayLike<unknown>): boolean {
  const now = isList(collection) ? collection : snapshot(collection);
  if (now.length !== elements.length) return false;
  for (let index = 0; index < now.length; index++) if (!Object.is(now[index], elements[index])) return false;
  return true;
}

/**
 * The value of a field, or its getter: reading it through the getter would be another read of other fields.
 */
function lookUp(object: object, key: PropertyKey): unknown {
  for (
    let target: object | null = object;
    target !== null;
    target = Object.getPrototypeOf(target) as object | null
  ) {
    const property = Object.getOwnPropertyDescriptor(target, key);
    if (property !== undefined) return property.get ?? property.value;
  }
  return undefined;
}

/** All reads of one trace. */
export class Guards {
  /** Guards that are checked with these, whose reads are not noted again. */
  readonly base: Guards | null;
  readonly #fields = new Map<Versioned, FieldGuards>();
  readonly #values = new Map<object, Map<PropertyKey, unknown>>();
  readonly #contents = new Map<Collection, ArrayLike<unknown>>();
  #paused = false;

  /** @param base guards that hold now, and are checked with these */
  constructor(base: Guards | null = null) {
    this.base = base;
  }

  /** These guards; or those that they are based on, if nothing has been added. */
  settled(): Guards {
    return this.base !== null && this.#fields.size + this.#values.size + this.#contents.size === 0
      ? this.base
      : this;
  }

  /** Runs `fn`, whose reads need no guard: it is run again at every call. */
  pause<T>(fn: () => T): T {
    const outer = this.#paused;
    this.#paused = true;
    try {
      return fn();
    } finally {
      this.#paused = outer;
    }
  }

  /** `object[key]` was read and gave `value`. */
  value(object: object, key: PropertyKey, value: unknown): void {
    if (this.#paused || this.base?.guardsValue(object, key) === true) return;
    let values = this.#values.get(object);
    if (values === undefined) this.#values.set(object, (values = new Map()));
    if (values.has(key)) return;
    values.set(key, value);
    this.contents(value);
  }

  /** A field of an object that counts its changes was read. */
  field(versioned: Versioned, object: object, key: PropertyKey): void {
    if (this.#paused || this.base?.fieldsOf(versioned)?.values.has(key) === true) return;
    const { values, written } = this.#newFieldsOf(versioned, object);
    if (values.has(key) || written.has(key)) return;
    const value = lookUp(object, key);
    values.set(key, value);
    this.contents(value);
  }

  /** The presence of a field of such an object was tested. */
  presence(versioned: Versioned, object: object, key: PropertyKey): void {
    if (this.#paused || this.base?.fieldsOf(versioned)?.presence.has(key) === true) return;
    const { presence, written } = this.#newFieldsOf(versioned, object);
    if (!presence.has(key) && !written.has(key)) presence.set(key, key in object);
  }

  /** The fields of such an object were listed. */
  keys(versioned: Versioned, object: object): void {
    if (this.#paused || (this.base?.fieldsOf(versioned)?.keys ?? null) !== null) return;
    const fields = this.#newFieldsOf(versioned, object);
    fields.keys ??= Reflect.ownKeys(object);
  }

  /** The function sets a field of such an object. */
  write(versioned: Versioned, object: object, key: PropertyKey): void {
    const { values, presence, written } = this.#newFieldsOf(versioned, object);
    if (!values.has(key) && !presence.has(key)) written.add(key);
  }

  /**
   * The elements of an array, a map, a set or a plain object may be read, and those of collections inside.
   */
  contents(value: unknown): void {
    if (this.#paused || !isCollection(value)) return;
    const pending: Collection[] = [value];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#contents.has(next) || this.base?.guardsContents(next) === true) continue;
      const elements = snapshot(next);
      this.#contents.set(next, elements);
      if (ArrayBuffer.isView(next)) continue;
      for (const element of elements as readonly unknown[]) if (isCollection(element)) pending.push(element);
    }
  }

  private guardsValue(object: object, key: PropertyKey): boolean {
    return this.#values.get(object)?.has(key) === true;
  }

  private guardsContents(collection: Collection): boolean {
    return this.#contents.has(collection);
  }

  private fieldsOf(versioned: Versioned): FieldGuards | undefined {
    return this.#fields.get(versioned);
  }

  #newFieldsOf(versioned: Versioned, object: object): FieldGuards {
    let fields = this.#fields.get(versioned);
    if (fields === undefined) {
      fields = {
        versioned,
        object,
        values: new Map(),
        presence: new Map(),
        keys: null,
        written: new Set(),
        checked: -1,
      };
      this.#fields.set(versioned, fields);
    }
    return fields;
  }

  /** True while all reads would give the same values. */
  hold(): boolean {
    if (this.base !== null && !this.base.hold()) return false;
    for (const fields of this.#fields.values()) {
      if (fields.checked === fields.versioned.version) continue;
      if (!fieldsHold(fields)) return false;
      fields.checked = fields.versioned.version;
    }
    for (const [object, values] of this.#values) {
      for (const [key, value] of values) if (!Object.is(Reflect.get(object, key), value)) return false;
    }
    for (const [collection, elements] of this.#contents)
      if (!sameElements(collection, elements)) return false;
    return true;
  }
}

function fieldsHold({ object, values, presence, keys }: FieldGuards): boolean {
  for (const [key, value] of values) if (!Object.is(lookUp(object, key), value)) return false;
  for (const [key, present] of presence) if (key in object !== present) return false;
  if (keys === null) return true;
  const now = Reflect.ownKeys(object);
  return now.length === keys.length && now.every((key, index) => key === keys[index]);
}
