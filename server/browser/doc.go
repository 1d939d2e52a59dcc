// Package browser holds the tests that need a real browser: the page of the
// original program, and the snippet that the README begins with, each run as it
// is written; and one that starts a certificate authority, the program and a
// browser from nothing. There is nothing in it to import.
package browser
