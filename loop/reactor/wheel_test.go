package reactor

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWheelModel: every session is looked at in exactly the tick it was last
// scheduled for, whatever expire itself schedules and cancels meanwhile.
func TestWheelModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w wheel
		w.now = rapid.SampledFrom([]uint32{0, 7, ^uint32(0) - 300}).Draw(t, "start")
		sessions := make([]*Session, 12)
		due := map[*Session]uint32{}
		for i := range sessions {
			sessions[i] = &Session{slot: uint32(i)}
		}
		schedule := func() {
			s := rapid.SampledFrom(sessions).Draw(t, "session")
			in := uint32(rapid.IntRange(0, 3*wheelSlots).Draw(t, "in"))
			w.schedule(s, w.now+in)
			due[s] = w.now + max(in, 1)
		}
		cancel := func() {
			s := rapid.SampledFrom(sessions).Draw(t, "cancelled")
			w.cancel(s)
			delete(due, s)
		}
		for range rapid.IntRange(1, 900).Draw(t, "ticks") {
			for range rapid.IntRange(0, 2).Draw(t, "schedules") {
				schedule()
			}
			if rapid.IntRange(0, 5).Draw(t, "cancel") == 0 {
				cancel()
			}
			w.advance(func(s *Session) {
				if at, ok := due[s]; !ok || at != w.now {
					t.Fatalf("session %d expired in tick %d, scheduled for %d (%v)", s.slot, w.now, at, ok)
				}
				delete(due, s)
				switch rapid.IntRange(0, 3).Draw(t, "then") {
				case 0:
					schedule()
				case 1:
					cancel()
				}
			})
			for s, at := range due {
				if int32(at-w.now) <= 0 {
					t.Fatalf("session %d was due in tick %d, it is %d", s.slot, at, w.now)
				}
			}
		}
	})
}
