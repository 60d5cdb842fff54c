"""The library's verbs as forms for notebooks: sign in, create an action, look into launches, keep a firm in order.

Each form keeps its state in traits and only mirrors it in widgets. What its button does, ``submit()`` does too; what
came of it is in ``value``; the call that it stands for is in ``code``. No form knows HTTP or a rule of Clio's.

Examples:
    >>> form = clio.forms.create_action(session)
    >>> form.label, form.target_url = "Sign", "https://partner.example/launch"
    >>> form.code
    "clio.create_action(session, 'Sign', 'https://partner.example/launch', at='matters')"
"""

from ..menu_pictures import Menus
from ._form import Form, Status
from .create_action import ActionForm, CreateResult
from .firm import FirmForm
from .firms import FirmsForm
from .inbox import InboxForm
from .launch import LaunchForm
from .login import LoginForm
from .my_actions import MyActionsForm
from .screens import Screens
from .workbench import Workbench

login = LoginForm
create_action = ActionForm
my_actions = MyActionsForm
launch = LaunchForm
inbox = InboxForm
firm = FirmForm
firms = FirmsForm
screens = Screens
menus = Menus
workbench = Workbench

__all__ = [
    "login",
    "create_action",
    "my_actions",
    "launch",
    "inbox",
    "firm",
    "firms",
    "screens",
    "menus",
    "workbench",
    "LoginForm",
    "ActionForm",
    "CreateResult",
    "MyActionsForm",
    "LaunchForm",
    "InboxForm",
    "FirmForm",
    "FirmsForm",
    "Screens",
    "Menus",
    "Workbench",
    "Form",
    "Status",
]
