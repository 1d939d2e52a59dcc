//go:build !linux

package lockfile

// sameProgram cannot be found out here; it is better to refuse than to have two.
func sameProgram(int) bool { return true }
