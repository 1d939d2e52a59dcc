// Package examples holds small clients in several languages: each joins a group, sends it a
// message, and prints what the group is sent; and programs that issue a token. Its tests run
// every one of them against the program as it is built. There is nothing in it to import.
//
// No file here is called as a module of Python's: token.py took the place of its own.
package examples
