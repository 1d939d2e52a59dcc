package control

import (
	"os"
	"testing"
	"time"

	"groupcast/loop/leak"
)

// TestMain checks that the tests leave nothing running and nothing open.
func TestMain(m *testing.M) {
	if path := os.Getenv(anotherUser); path != "" {
		beAnotherUser(path)
		return
	}
	os.Exit(leak.Main(m))
}

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// eventually waits until done says yes.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}
