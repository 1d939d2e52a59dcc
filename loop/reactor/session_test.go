package reactor

import (
	"testing"
	"unsafe"
)

// TestSessionSize: there may be a million sessions, and one byte more than this costs
// sixteen in Go's next size class.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 176 {
		t.Errorf("a session is %d bytes, want at most 176", size)
	}
}
