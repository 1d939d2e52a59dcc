package reactor

import "testing"

// TestErrorCodes: every code of the contract has a place.
func TestErrorCodes(t *testing.T) {
	var c ErrorCounts
	for i, code := range ErrorCodes {
		if c.count(code); code == "" || c[i] != 1 || c.Of(code) != 1 {
			t.Errorf("%q: %v", code, c)
		}
	}
	if c.count("unknown"); c.Sum() != uint64(len(ErrorCodes)) {
		t.Errorf("%v", c)
	}
}
