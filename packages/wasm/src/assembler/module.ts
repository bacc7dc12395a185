/**
 * A WebAssembly module in the making: imported memory and functions, functions with names, exports. The name
 * section gives profilers and stack traces the kernels' names. WebAssembly core specification, section 5.5.
 */
import { Bytes } from './bytes.ts';
import { Code, VALUE_TYPES, type Callee, type Local, type ValueType } from './code.ts';

const SECTIONS = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;

/** A function's parameters and results. */
export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface Import {
  readonly name: string;
  readonly type: number;
}
interface Defined {
  readonly name: string;
  readonly type: number;
  readonly code: Code;
  readonly exported: boolean;
}

/** How the imported memory is declared; limits in pages of 64 KiB. */
export interface MemoryImport {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/**
 * Imports come from the module `env`: the memory as `memory`, functions by their names. Import all functions
 * before defining the first.
 */
export class Module {
  readonly #memory: MemoryImport;
  readonly #types: string[] = [];
  readonly #typeBytes: Bytes[] = [];
  readonly #imports: Import[] = [];
  readonly #functions: Defined[] = [];
  readonly #shared = new Map<string, Callee>();

  constructor(memory: MemoryImport) {
    this.#memory = memory;
  }

  #type({ params, results }: Signature): number {
    const key = `${params.join()}→${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new Bytes().byte(0x60).unsigned(params.length);
    for (const type of params) bytes.byte(VALUE_TYPES[type]);
    bytes.unsigned(results.length);
    for (const type of results) bytes.byte(VALUE_TYPES[type]);
    this.#typeBytes.push(bytes);
    return this.#types.push(key) - 1;
  }

  importFunction(name: string, signature: Signature): Callee {
    if (this.#functions.length > 0)
      throw new Error('functions are imported before any is defined: imports are numbered first');
    return { index: this.#imports.push({ name, type: this.#type(signature) }) - 1 };
  }

  /** Defines a function: `build` writes its body. */
  function(
    name: string,
    signature: Signature,
    build: (code: Code, params: readonly Local[]) => void,
    { exported = false }: { readonly exported?: boolean } = {},
  ): Callee {
    const code = new Code(signature.params);
    build(code, code.params);
    const index =
      this.#imports.length + this.#functions.push({ name, type: this.#type(signature), code, exported }) - 1;
    return { index };
  }

  /** The function of a name, defined the first time. */
  shared(name: string, signature: Signature, build: (code: Code, params: readonly Local[]) => void): Callee {
    const known = this.#shared.get(name) ?? this.function(name, signature, build);
    this.#shared.set(name, known);
    return known;
  }

  /** The module's bytes. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Bytes().append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: keyof typeof SECTIONS, part: Bytes): void => {
      bytes.byte(SECTIONS[id]).sized(part);
    };
    const types = new Bytes().unsigned(this.#typeBytes.length);
    for (const type of this.#typeBytes) types.append(type.view());
    section('type', types);
    const { initial, maximum, shared } = this.#memory;
    const imports = new Bytes().unsigned(this.#imports.length + 1);
    imports
      .text('env')
      .text('memory')
      .byte(0x02)
      .byte(shared ? 0x03 : 0x01)
      .unsigned(initial)
      .unsigned(maximum);
    for (const { name, type } of this.#imports) imports.text('env').text(name).byte(0x00).unsigned(type);
    section('import', imports);
    const functions = new Bytes().unsigned(this.#functions.length);
    for (const { type } of this.#functions) functions.unsigned(type);
    section('function', functions);
    const exported = this.#functions.flatMap(({ name, exported: isExported }, index) =>
      isExported ? [{ name, index }] : [],
    );
    const exports = new Bytes().unsigned(exported.length);
    for (const { name, index } of exported)
      exports
        .text(name)
        .byte(0x00)
        .unsigned(this.#imports.length + index);
    section('export', exports);
    const code = new Bytes().unsigned(this.#functions.length);
    for (const defined of this.#functions) code.sized(defined.code.toBytes());
    section('code', code);
    section('custom', this.#names());
    return bytes.view();
  }

  /** The name section, subsection 1: function names. */
  #names(): Bytes {
    const names = new Bytes().unsigned(this.#imports.length + this.#functions.length);
    [...this.#imports, ...this.#functions].forEach(({ name }, index) => names.unsigned(index).text(name));
    return new Bytes().text('name').byte(1).sized(names);
  }
}
