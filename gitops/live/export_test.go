package live

// Shown is the digest of what is in force.
func (l *Live) Shown() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown.digest()
}
