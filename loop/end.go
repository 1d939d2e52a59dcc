package loop

// Close ends the engine at once: the remaining connections are closed without
// ceremony. It waits for its goroutines.
func (e *Engine) Close() error {
	e.stopOnce.Do(func() {
		e.gate.Lock()
		e.closed = true
		e.gate.Unlock()
		close(e.stopped)
		for _, r := range e.reactors {
			r.StopWritable()
		}
		e.serving.Wait() // an enrolment would wait for ever on a loop that is gone,
		e.refuser.Wait()
		for _, n := range e.enrollers {
			close(n.pending)
		}
		e.enrolling.Wait()
		e.workers.Wait() // and nobody may wake one
		e.closeErr = e.client.Stop()
		e.releaseReactors()
	})
	return e.closeErr
}

func (e *Engine) releaseReactors() {
	for _, r := range e.reactors {
		r.Release()
	}
}
