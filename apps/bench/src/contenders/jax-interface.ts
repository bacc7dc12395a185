/**
 * What is used here of jax-js: its arrays and its functions. An array that goes into a function is consumed;
 * `.ref` keeps it.
 */

export interface JaxArray {
  /** The same array, with one more owner. */
  readonly ref: JaxArray;
  readonly shape: readonly number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  /** For each axis nothing, or where the part begins and ends; further axes stay. */
  slice(...parts: readonly (readonly [] | readonly [number, number])[]): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(permutation?: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  dataSync(): Float32Array;
  blockUntilReady(): Promise<unknown>;
  dispose(): void;
}

/** Arrays by name, which JAX's functions take and give as they are. */
export type Tree = Readonly<Record<string, JaxArray>>;

/** The part of the interface that is used here. */
export interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): string;
  jit<F>(fn: F): F;
  vjp(
    fn: (...operands: JaxArray[]) => JaxArray,
    operands: readonly JaxArray[],
  ): [JaxArray, ((g: JaxArray) => JaxArray[]) & { dispose(): void }];
  valueAndGrad<A extends readonly unknown[]>(
    fn: (parameters: Tree, ...rest: A) => JaxArray,
  ): (parameters: Tree, ...rest: A) => [JaxArray, Tree];
  nn: {
    relu(x: JaxArray): JaxArray;
    gelu(x: JaxArray, options: { readonly approximate: boolean }): JaxArray;
    softmax(x: JaxArray, axis: number): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    oneHot(index: JaxArray, classes: number): JaxArray;
  };
  numpy: {
    array(values: Float32Array | Int32Array, options: { readonly shape: readonly number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(x: JaxArray): JaxArray;
    add(a: JaxArray, b: JaxArray): JaxArray;
    exp(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    sum(x: JaxArray): JaxArray;
    max(x: JaxArray, axes: readonly number[]): JaxArray;
    mean(x: JaxArray, axis: number, options: { readonly keepdims: boolean }): JaxArray;
    pad(x: JaxArray, widths: readonly (readonly [number, number])[]): JaxArray;
    split(x: JaxArray, parts: number, axis: number): JaxArray[];
    take(x: JaxArray, index: JaxArray, axis: number): JaxArray;
  };
}
