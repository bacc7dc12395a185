/**
 * Lists by key, such as the kernels that read each array: a list begins when something is first put into it.
 */

/** The list of a key; a new empty list is entered where there is none. */
export function listAt<K, V>(lists: Map<K, V[]>, key: K): V[] {
  let list = lists.get(key);
  if (list === undefined) lists.set(key, (list = []));
  return list;
}
