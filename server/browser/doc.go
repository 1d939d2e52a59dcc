// Package browser holds the tests that need a real browser: the page of the
// original program, and the snippet that the README begins with, each run as it
// is written. Tests of other packages find the browser here, too: see Start.
package browser
