package server

import (
	"log/slog"

	"groupcast/loop/budget"
	"groupcast/server/memory"
	"groupcast/server/settings"
)

// memoryLimit is the budget for memory in bytes under o, 0 for none. It says where it comes
// from, unless the operator has.
func memoryLimit(o Options, log *slog.Logger) int64 {
	if o.MaxMemory != settings.AutoMemory {
		return int64(o.MaxMemory)
	}
	limit, from := memory.Limit()
	if from == "" {
		log.Warn("how much memory there is is not known: there is no budget for it (--max-memory)")
		return 0
	}
	log.Debug("the budget for memory", "bytes", limit, "from", from)
	return limit
}

// OwnGoLimit has the server set the soft memory limit of Go's runtime by its budget, unless
// GOMEMLIMIT is set. It is for a program that is nothing but the server.
func (s *Server) OwnGoLimit() { s.budget.OwnGoLimit() }

// memoryPart is what a reload has to do with the budget.
// Owner: the Server; inForce is guarded by its reloading.
type memoryPart struct {
	budget  *budget.Budget
	log     *slog.Logger
	inForce int
}

func (m *memoryPart) prepare(next Options) (change, error) {
	return change{commit: func() error {
		m.budget.SetLimit(memoryLimit(next, m.log))
		m.inForce = next.MaxMemory
		return nil
	}}, nil
}

func (m *memoryPart) running(o *Options) { o.MaxMemory = m.inForce }
