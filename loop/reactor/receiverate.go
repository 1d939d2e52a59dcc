package reactor

import (
	"time"

	"github.com/gobwas/ws"
)

// takeBytes charges what has come to the session's bucket. A session that is over it is
// closed: TCP could hold its bytes back, but a loop reads all that is there.
func (r *Reactor) takeBytes(s *Session, n int) {
	now := time.Since(r.shared.Start)
	most := float64(max(r.opt.ReceiveRate, r.opt.MaxFrameBytes()))
	t := r.intakes[s]
	if t == nil {
		t = &intake{most, now}
		r.intakes[s] = t
	}
	t.bytes = min(t.bytes+(now-t.at).Seconds()*float64(r.opt.ReceiveRate), most) - float64(n)
	t.at = now
	if t.bytes < 0 && s.state == stateOpen {
		r.stats.FloodClosed++
		r.closeWith(s, ws.StatusPolicyViolation, "receive rate")
	}
}
