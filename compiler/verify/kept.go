package verify

import "sync"

// kept keeps what was read of equal text: thousands of resources share their
// expressions and TLS contexts. What it holds is never changed. It is emptied
// when it is full, so that a process that runs for long does not grow.
type kept[V any] struct {
	lock  sync.RWMutex
	known map[string]V
}

const keptSize = 4096

func (m *kept[V]) get(key []byte, read func() (V, error)) (V, error) {
	m.lock.RLock()
	v, ok := m.known[string(key)]
	m.lock.RUnlock()
	if ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.known == nil || len(m.known) >= keptSize {
		m.known = map[string]V{}
	}
	m.known[string(key)] = v
	return v, nil
}
