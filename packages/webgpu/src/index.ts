/** The GPU device: the public names of the package, and nothing else. */
export {};
