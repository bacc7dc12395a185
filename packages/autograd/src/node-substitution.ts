/**
 * Substitution of nodes: while a function runs, a tensor stands for another value. It is read as usual, and
 * cannot be assigned to until the function has returned.
 */
import { GradientError, type Node } from '@firsthand/graph';
import { type Handle } from '@firsthand/runtime';

/** A handle whose node can be read: a tensor. */
interface Readable extends Handle {
  read(): Node;
}

const substituted = /* @__PURE__ */ new Set<Handle>();

/** Whether a handle stands for another value now. */
export function isSubstituted(handle: Handle): boolean {
  return substituted.has(handle);
}

/** @throws GradientError if the handle stands for another value: its old node would overwrite a new one */
export function requireNotSubstituted(handle: Handle, operation: string): void {
  if (!substituted.has(handle)) return;
  throw new GradientError({
    operation,
    problem: `${handle.name === null ? 'the tensor' : `"${handle.name}"`} stands for another value in this call`,
    expected: 'the new value',
    remedy: 'return the new value, and assign it outside',
  });
}

/**
 * Runs `fn` while each tensor stands for its node in `values`; then, or after an error, each has its own
 * again.
 */
export function substituteNodes<T>(values: ReadonlyMap<Readable, Node>, fn: () => T): T {
  const before: { readonly handle: Readable; readonly node: Node; readonly wasSubstituted: boolean }[] = [];
  try {
    for (const [handle, value] of values) {
      // Inside compile, reading makes the handle state of the trace.
      before.push({ handle, node: handle.read(), wasSubstituted: substituted.has(handle) });
      substituted.add(handle);
      handle.node = value;
    }
    return fn();
  } finally {
    for (const { handle, node, wasSubstituted: wasLent } of before.toReversed()) {
      handle.node = node;
      if (!wasLent) substituted.delete(handle);
    }
  }
}
