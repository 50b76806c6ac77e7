/** The version of the package. Copies of one version share their loaded modules, copies of two versions do not. */
export const VERSION = "0.1.0";
