from .assumptions import Assumptions as Assumptions
from .faults import Fault as Fault
from .host import Host as Host
from .server.server import PortInUse as PortInUse
from .site import Sandbox as Sandbox
from .site import sandbox as sandbox
