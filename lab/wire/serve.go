package wire

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
)

// Call is one call as its handler sees it.
type Call struct {
	*Conn
	Args  json.RawMessage
	Files []*os.File // closed after the handler returns
	Reply []*os.File // sent with the answer, then closed here
}

// Decode reads the arguments.
func (c *Call) Decode(v any) error { return json.Unmarshal(c.Args, v) }

// Handler answers one operation.
type Handler func(*Call) (result any, err error)

// Serve answers calls until the listener is closed.
func Serve(l *net.UnixListener, handlers map[string]Handler) error {
	for {
		unix, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		go serve(&Conn{unix}, handlers)
	}
}

func serve(c *Conn, handlers map[string]Handler) {
	defer c.Close()
	var req request
	files, err := c.Receive(&req)
	if err != nil {
		return // the caller has gone: nobody to tell
	}
	defer closeAll(files)
	handle, ok := handlers[req.Op]
	if !ok {
		c.Send(answer{Error: fmt.Sprintf("no operation %q", req.Op)})
		return
	}
	call := &Call{Conn: c, Args: req.Args, Files: files}
	result, err := handle(call)
	defer closeAll(call.Reply)
	if err != nil {
		c.Send(answer{Error: err.Error()})
		return
	}
	raw, err := json.Marshal(result)
	if err != nil {
		c.Send(answer{Error: err.Error()})
		return
	}
	c.Send(answer{Result: raw}, call.Reply...)
}
