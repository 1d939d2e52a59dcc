package wait

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// failed is a test that notes its end.
type failed struct {
	testing.TB

	why string
}

func (f *failed) Helper() {}

func (f *failed) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		Until(t, "half of it", func() bool { return time.Since(began) >= Patience/2 })
		if took := time.Since(began); took > Patience/2+time.Millisecond {
			t.Errorf("it came after %s, and was noticed after %s", Patience/2, took)
		}
		f := &failed{TB: t}
		until := Until // vet has not seen that this one may end its goroutine
		go until(f, "what does not come", func() bool { return false })
		<-time.After(2 * Patience)
		synctest.Wait()
		if want := "in vain waited for: what does not come"; f.why != want {
			t.Errorf("ended with %q, want %q", f.why, want)
		}
	})
}
