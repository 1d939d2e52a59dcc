// Package edge holds the tests of the program where it meets others' programs: proxies, with
// the very configurations that the README has, and clients that bring TLS of their own, curl
// and OpenSSL's s_client. There is nothing in it to import.
package edge
