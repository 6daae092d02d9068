"""The URLs at which the Django clients receive SNS messages."""

from django.urls import include, path
from django_ses.views import SESEventWebhookView

urlpatterns = [
    path("anymail/", include("anymail.urls")),
    path("django-ses/", SESEventWebhookView.as_view()),
]
