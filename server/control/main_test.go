package control

import (
	"os"
	"testing"
	"time"

	"groupcast/loop/leak"
)

// TestMain checks that the tests leave nothing running and nothing open.
func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second
