package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// DeviceList is devices that a store should have, as an import gives them.
type DeviceList struct {
	Devices []ListedDevice `json:"devices" required:"true" maxItems:"10000" doc:"at most 10,000"`
	DryRun  bool           `json:"dry_run,omitempty" doc:"change nothing, and say what would"`
}

// ListedDevice is one device of an import.
type ListedDevice struct {
	ops.DeviceRef
	Kind     string `json:"kind,omitempty"`
	Model    string `json:"model,omitempty"`
	Firmware string `json:"firmware,omitempty"`
}

// DeviceRefs names devices.
type DeviceRefs struct {
	Devices []ops.DeviceRef `json:"devices" required:"true" maxItems:"10000" doc:"at most 10,000"`
}

// listDevices answers devices one by one, in the order of their ids.
func (s *Server) listDevices(ctx context.Context, in *struct {
	Device string `query:"device" maxLength:"4096" doc:"comma-separated: names, or store/device"`
	DeviceFilter
},
) (ops.List[ops.Device], error) {
	scope := in.scope()
	scope.Device = values(in.Device)
	page, next, err := s.o.Fleet.Devices(ctx, ops.DeviceQuery{Scope: scope, State: in.State, Page: in.page()})
	if page == nil {
		page = []ops.Device{}
	}
	return ops.List[ops.Device]{Items: page, Next: next}, err
}

// importDevices makes devices known before they beat. It takes bodies that the other native routes do not.
func (s *Server) importDevices(w http.ResponseWriter, r *http.Request) {
	var in DeviceList
	s.inBulk(w, r, &in, func() (any, error) {
		rows := make([]ops.Heartbeat, len(in.Devices))
		for i, d := range in.Devices {
			rows[i] = ops.Heartbeat{Store: d.Store, Device: d.Device, Kind: d.Kind, Model: d.Model, Firmware: d.Firmware}
		}
		done, err := s.o.Fleet.List(r.Context(), who(r.Context()), rows, in.DryRun)
		done.Rejected = orNone(done.Rejected)
		return done, err
	})
}

// retireDevices takes devices out of service.
func (s *Server) retireDevices(w http.ResponseWriter, r *http.Request) {
	var in DeviceRefs
	s.inBulk(w, r, &in, func() (any, error) {
		rejected, err := s.o.Fleet.Retire(r.Context(), who(r.Context()), in.Devices)
		return batch{len(in.Devices) - len(rejected), orNone(rejected)}, err
	})
}

// inBulk reads a large body into in, and answers what do says.
func (s *Server) inBulk(w http.ResponseWriter, r *http.Request, in any, do func() (any, error)) {
	data, err := readBody(r)
	if err == nil {
		err = decodeStrict(data, in)
	}
	var out any
	if err == nil {
		out, err = do()
	}
	if err != nil {
		s.fail(r, err).write(w)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func orNone(r []ops.Rejected) []ops.Rejected {
	if r == nil {
		return []ops.Rejected{}
	}
	return r
}

// DevicePath is a device in a path.
type DevicePath struct {
	Store  string `path:"store" maxLength:"128"`
	Device string `path:"device" maxLength:"128"`
}

func (d DevicePath) ref() ops.DeviceRef { return ops.DeviceRef{Store: d.Store, Device: d.Device} }

func (s *Server) moveDevice(ctx context.Context, in *struct {
	DevicePath
	Body struct {
		Store string `json:"store" required:"true" minLength:"1" maxLength:"128" doc:"where it is now"`
	}
},
) (ops.Device, error) {
	return s.o.Fleet.Move(ctx, who(ctx), in.ref(), in.Body.Store)
}

func (s *Server) renameDevice(ctx context.Context, in *struct {
	DevicePath
	Body struct {
		Device string `json:"device" required:"true" minLength:"1" maxLength:"128" doc:"its name from now on"`
	}
},
) (ops.Device, error) {
	return s.o.Fleet.Rename(ctx, who(ctx), in.ref(), in.Body.Device)
}

func importDocument(s *Server) option {
	return func(op *huma.Operation) {
		body[DeviceList](s, op)
		schemaOf[ops.Imported](s, "200", "What was done; the good ones are kept, also when others are rejected")(op)
	}
}

func retireDocument(s *Server) option {
	return func(op *huma.Operation) {
		body[DeviceRefs](s, op)
		schemaOf[batch](s, "200", "The good ones are retired, also when others are rejected")(op)
	}
}
